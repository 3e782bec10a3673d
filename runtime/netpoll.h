/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h - who waits for which descriptor.
 *
 * A poll descriptor (struct pd) exists per fd number, in a type-stable table; each use of the
 * number is a new generation (seq, odd while open). Per direction one word is a binary semaphore
 * with four values:
 *
 *   nil      nothing            -> wait by a goroutine, ready by an event
 *   ready    event pending      -> nil by the goroutine that consumes it
 *   wait     about to park      -> G by the commit, ready by an event, nil by deadline or close
 *   G        parked             -> nil, by an event, a deadline or close: the changer owns the
 *                                  wake-up and leaves its reason in g->wake_value
 *
 * "wait" carries the generation, so that a goroutine of an old one cannot commit into a new one:
 *
 *     old waiter                     closer, opener              new waiter
 *     nil -> wait(7)
 *                                    wait(7) -> nil; seq = 9
 *                                                                nil -> wait(9)
 *     wait(7) -> G fails
 *
 * The backend is a few functions (struct netpoll_backend); netpoll_epoll.c is the one there is.
 * Parking, deadlines and queues of goroutines are above the scheduler: netwait.h.
 */
#ifndef GRT_NETPOLL_H
#define GRT_NETPOLL_H

#include "types.h"

#define PD_NIL 0ull
#define PD_READY 1ull
#define PD_WAIT(seq) ((seq) << 3 | 2)
#define PD_IS_WAIT(word) (((word)&7) == 2)
#define PD_IS_G(word) ((word) != 0 && ((word)&7) == 0)

enum netpoll_woken { WOKEN_READY = 1, WOKEN_EXPIRED, WOKEN_CLOSED };

/* One direction of a descriptor. */
struct pd_dir {
	u64 word;            /* A  as above */
	struct pd *pd;       /* I  after the first open */
	struct gqueue queue; /* L  pd.lock: goroutines behind the one whose turn it is */
	struct g *turn;      /* W  pd.lock: who is at the word, or tries its call; NULL: nobody */
	u64 wait_seq;        /* L  counts waits: tells a stale deadline */
	u64 expired_seq;     /* L  wait whose deadline has passed */
	struct timer timer;  /* deadline of the wait at the word */
};

struct pd {
	struct lock lock;
	int fd;               /* I */
	u64 seq;              /* W  lock; odd: open */
	u64 closing_seq;      /* A  seq while the number awaits its close(2), 0 else */
	struct pd_dir dir[2]; /* read, write */
};

/* The door another backend could stand behind. */
struct netpoll_backend {
	int (*init)(void); /* 0 or -errno; sets sched.epfd */
	int (*add)(int fd,
		   u64 seq); /* edge-triggered, both directions; -EEXIST: is there already */
	void (*del)(int fd);
	void (*wake)(void); /* end a blocking wait, the present or the next one */
	/* delay_ns < 0: for ever, 0: not at all. netpoll_event per event; how many, or -errno. */
	int (*wait)(i64 delay_ns, struct gqueue *ret);
};
extern const struct netpoll_backend netpoll_epoll;
/* For backends: generation seq of fd is ready for modes (GRT_MODE_*). Gs to wake go to *ret. */
void netpoll_event(int fd, u64 seq, u32 modes, struct gqueue *ret);

int netpoll_init(void);
bool netpoll_is_inited(void);

struct pd *netpoll_pd(int fd); /* NULL: not a number that can be polled */
bool netpoll_is_open(int fd);
/* Take the fd number into use. 0; -EPERM the kernel cannot poll it; -EEXIST; -errno. Gs of an
 * earlier use of the number that nobody closed here go to *ret, woken as WOKEN_CLOSED. */
int netpoll_open(int fd, struct gqueue *ret);
/* End its use: all who wait go to *ret as WOKEN_CLOSED. 0 or -EBADF. Then close(2), then say so. */
int netpoll_close(int fd, struct gqueue *ret);
void netpoll_closed(int fd, u64 seq); /* seq: generation that has ended */
/* Its use has ended here, but the number may still be good for the kernel. */
bool netpoll_is_closing(int fd);
/* Generation of an open descriptor, 0 for others: tells this use of the number from later ones. */
u64 netpoll_generation(int fd);
/* Change a word from "wait" or G to nil; the G, or NULL. pd.lock held. */
struct g *netpoll_unblock(struct pd_dir *d, enum netpoll_woken why);

/*
 * Poll: delay as the backend's wait. Gs to be made runnable (they are still `waiting`: the caller
 * makes that transition) are appended to *ret. Returns the change of netpoll_waiters (<= 0), which
 * the caller applies with netpoll_adjust AFTER they are on a queue (else: a false deadlock verdict,
 * or a lost poll). Caller has no P if it may sleep.
 */
i32 netpoll_poll(i64 delay_ns, struct gqueue *ret, enum grt_netpoll_by by);
void netpoll_adjust(i32 delta);
bool netpoll_any_waiters(void);
void netpoll_break(void); /* end the blocking poll; idempotent until it has returned */

#endif
