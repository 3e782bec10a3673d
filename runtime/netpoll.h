/* SPDX-License-Identifier: MIT */
/*
 * netpoll.h - who waits for which descriptor.
 *
 * A poll descriptor (struct pd) exists per fd number, in a type-stable table; each use of the number
 * is a new generation (seq). Per direction one word is a binary semaphore with four values:
 *
 *   nil      nothing            -> wait by the goroutine, ready by an event
 *   ready    event pending      -> nil by the goroutine that consumes it
 *   wait     about to park      -> G by the park commit, ready by an event, nil by deadline or close
 *   G        parked             -> ready by an event, nil by deadline or close: the changer readies G
 *
 * The backend is four functions (netpoll_backend); netpoll_epoll.c is the one there is.
 */
#ifndef GRT_NETPOLL_H
#define GRT_NETPOLL_H

#include "types.h"

struct pd;

/* The door another backend could stand behind. Events carry a pd and its generation. */
struct netpoll_backend {
	int (*init)(void);                             /* 0 or -errno; sets sched.epfd */
	int (*add)(int fd, struct pd *pd, u64 seq);    /* edge-triggered, both directions */
	void (*del)(int fd);
	void (*wake)(void);                            /* end a blocking wait now or next */
	/* Wait: delay_ns < 0 for ever, 0 not at all. Calls netpoll_event per event. Returns how
	 * many events, or -errno. */
	int (*wait)(i64 delay_ns);
};
extern const struct netpoll_backend netpoll_epoll;
/* For backends: fd of `pd`, generation seq, is ready for modes (GRT_MODE_*); error: only an error. */
void netpoll_event(struct pd *pd, u64 seq, u32 modes, bool error);

int netpoll_init(void);      /* once, by the first fd; any thread */
bool netpoll_is_inited(void);

/* Take the fd number into use: 0, -EPERM when the kernel cannot poll it (regular files), -errno. */
int netpoll_open(int fd);
bool netpoll_is_open(int fd);
/* Everybody who waits on it returns -EBADF (closing); then the number may be reused. */
int netpoll_close(int fd);
/*
 * Park the calling goroutine until fd is ready for mode, or deadline_ns (absolute; 0 = none).
 * 0 ready (try the call again), -EBADF closed or not open, -ETIMEDOUT, -EPERM not a goroutine.
 * More than one goroutine may call per direction: the others queue behind a lock of the pd.
 */
int netpoll_wait(int fd, int mode, i64 deadline_ns);

/*
 * Poll: delay as the backend's wait. Gs to be made runnable (they are still `waiting`: the caller
 * makes that transition) are appended to *ret; the change of
 * netpoll_waiters must be applied by the caller with netpoll_adjust AFTER they are on a queue
 * (else a false deadlock verdict or a lost poll). Returns that change (<= 0). Caller has no P if
 * it may sleep.
 */
i32 netpoll_poll(i64 delay_ns, struct gqueue *ret, enum grt_netpoll_by by);
void netpoll_adjust(i32 delta);
bool netpoll_any_waiters(void);
void netpoll_break(void); /* end the blocking poll; idempotent until it has returned */

#endif
