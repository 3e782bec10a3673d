/* SPDX-License-Identifier: MIT */
/*
 * netpoll.c - see netpoll.h. Below the scheduler: it finds Gs to wake and hands them up.
 *
 * An event against a goroutine that parks:
 *
 *     goroutine                         poller (netpoll_event)
 *     nil -> wait
 *                                       wait -> ready
 *     wait -> G fails: goes on, consumes ready
 * or
 *     wait -> G   (it is parked)
 *                                       G -> nil, wakes G
 *
 * Either the goroutine sees "ready", or the poller sees G. An event of an old generation is dropped
 * by its seq; one that slips through between that check and the word is a spurious "ready": its
 * goroutine tries its call again, gets EAGAIN, and parks again (I17).
 */
#include "netpoll.h"

#include <errno.h>
#include <sys/mman.h>

#include "fatal.h"
#include "lock.h"
#include "probes.h"
#include "runq.h"
#include "timer.h"

static const struct netpoll_backend *const backend = &netpoll_epoll;

static struct pd *pds; /* I  one per number; pages come as they are touched */
static u32 inited;     /* A */

int netpoll_init(void)
{
	int rc;

	/* Zeroed memory is a valid lock, an even seq and two nil words. */
	pds = mmap(NULL, FDS_MAX * sizeof(struct pd), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pds == MAP_FAILED)
		return -ENOMEM;
	rc = backend->init();
	if (rc == 0)
		__atomic_store_n(&inited, 1, __ATOMIC_RELEASE);
	return rc;
}

bool netpoll_is_inited(void)
{
	return __atomic_load_n(&inited, __ATOMIC_ACQUIRE) != 0;
}

struct pd *netpoll_pd(int fd)
{
	return netpoll_is_inited() && fd >= 0 && fd < (int)FDS_MAX ? &pds[fd] : NULL;
}

bool netpoll_is_open(int fd)
{
	struct pd *pd = netpoll_pd(fd);

	return pd && (__atomic_load_n(&pd->seq, __ATOMIC_ACQUIRE) & 1);
}

u64 netpoll_generation(int fd)
{
	struct pd *pd = netpoll_pd(fd);
	u64 seq = pd ? __atomic_load_n(&pd->seq, __ATOMIC_ACQUIRE) : 0;

	return seq & 1 ? seq : 0;
}

/*
 * Between the end of a use and close(2) the number still reads, without blocking: that EAGAIN is
 * nobody's to see. Asked after "not open" and before the call:
 *
 *     reader                             closer
 *                                        closing_seq = 8; seq = 8
 *     seq is even; closing: -EBADF
 * or                                     close(2); closing_seq = 0
 *     seq is even; not closing
 *     read: -EBADF by the kernel
 */
bool netpoll_is_closing(int fd)
{
	struct pd *pd = netpoll_pd(fd);
	u64 seq = pd ? __atomic_load_n(&pd->closing_seq, __ATOMIC_ACQUIRE) : 0;

	return seq != 0 && seq == __atomic_load_n(&pd->seq, __ATOMIC_ACQUIRE);
}

/* A later use of the number may be closing by now: only the own mark is taken away. */
void netpoll_closed(int fd, u64 seq)
{
	u64 mark = seq + 1;

	__atomic_compare_exchange_n(&netpoll_pd(fd)->closing_seq, &mark, 0, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
}

static struct g *word_g(u64 word)
{
	return (struct g *)(uintptr_t)word;
}

static bool word_cas(struct pd_dir *d, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&d->word, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

struct g *netpoll_unblock(struct pd_dir *d, enum netpoll_woken why)
{
	for (;;) {
		u64 word = __atomic_load_n(&d->word, __ATOMIC_ACQUIRE);

		if (word == PD_NIL || word == PD_READY)
			return NULL;
		if (!word_cas(d, word, PD_NIL))
			continue;
		if (PD_IS_WAIT(word))
			return NULL;
		word_g(word)->wake_value = why;
		return word_g(word);
	}
}

static void dir_event(struct pd_dir *d, struct gqueue *ret)
{
	for (;;) {
		u64 word = __atomic_load_n(&d->word, __ATOMIC_ACQUIRE);

		if (word == PD_READY)
			return;
		if (!word_cas(d, word, PD_IS_G(word) ? PD_NIL : PD_READY))
			continue;
		if (PD_IS_G(word)) {
			word_g(word)->wake_value = WOKEN_READY;
			gqueue_push(ret, word_g(word));
		}
		return;
	}
}

/* All who wait in one direction, for good. lock held: no wait can begin. */
static void expel(struct pd_dir *d, struct gqueue *ret, i32 *waiters)
{
	struct g *g = netpoll_unblock(d, WOKEN_CLOSED);

	if (g) {
		gqueue_push(ret, g);
		(*waiters)--;
	}
	while ((g = gqueue_pop(&d->queue))) {
		g->wake_value = WOKEN_CLOSED;
		gqueue_push(ret, g);
	}
	__atomic_store_n(&d->turn, NULL, __ATOMIC_RELAXED);
	timer_stop(&d->timer);
	__atomic_store_n(&d->word, PD_NIL, __ATOMIC_RELEASE);
}

static void expel_both(struct pd *pd, struct gqueue *ret)
{
	i32 waiters = 0;

	expel(&pd->dir[0], ret, &waiters);
	expel(&pd->dir[1], ret, &waiters);
	/* They are not on a queue yet, but neither is their closer asleep: no verdict can fall. */
	netpoll_adjust(waiters);
}

/* For goroutines a spurious "ready" is one call more; a lost one would be for ever. */
static void set_ready(struct pd_dir *d)
{
	__atomic_store_n(&d->word, PD_READY, __ATOMIC_RELEASE);
}

/*
 * The new generation must be in place before the kernel can tell its first event, which would be
 * dropped as stale otherwise. If the number was in use here (somebody closed it behind our back, or
 * it is still registered), what the two generations may have lost between them is made good by
 * "ready". If it now belongs to what cannot be polled, the earlier use has ended all the same.
 */
static int open_locked(struct pd *pd, int fd, struct gqueue *ret)
{
	u64 old = pd->seq, seq = (old | 1) + (old & 1) * 2;
	bool was_open = old & 1, goes_on;
	int rc;

	pd->fd = fd;
	pd->dir[0].pd = pd->dir[1].pd = pd;
	for (int i = 0; i < 2 && !was_open; i++)
		__atomic_store_n(&pd->dir[i].word, PD_NIL, __ATOMIC_RELEASE);
	__atomic_store_n(&pd->seq, seq, __ATOMIC_RELEASE);
	rc = backend->add(fd, seq);
	goes_on = was_open && rc < 0 && rc != -EPERM && rc != -EBADF;
	if (rc < 0)
		__atomic_store_n(&pd->seq, goes_on ? old : seq + 1, __ATOMIC_RELEASE);
	if (goes_on) {
		u32 before = ret->size;

		dir_event(&pd->dir[0], ret);
		dir_event(&pd->dir[1], ret);
		netpoll_adjust((i32)before - (i32)ret->size);
	} else if (was_open) {
		expel_both(pd, ret);
		set_ready(&pd->dir[0]);
		set_ready(&pd->dir[1]);
	}
	return rc;
}

int netpoll_open(int fd, struct gqueue *ret)
{
	struct pd *pd = netpoll_pd(fd);
	int rc;

	if (!pd)
		return fd < 0 ? -EBADF : -EMFILE;
	lock_acquire(&pd->lock);
	rc = open_locked(pd, fd, ret);
	lock_release(&pd->lock);
	return rc;
}

int netpoll_close(int fd, struct gqueue *ret)
{
	struct pd *pd = netpoll_pd(fd);
	int rc = -EBADF;

	if (!pd)
		return rc;
	lock_acquire(&pd->lock);
	if (pd->seq & 1) {
		__atomic_store_n(&pd->closing_seq, pd->seq + 1, __ATOMIC_RELEASE);
		__atomic_store_n(&pd->seq, pd->seq + 1, __ATOMIC_RELEASE);
		expel_both(pd, ret);
		backend->del(fd);
		rc = 0;
	}
	lock_release(&pd->lock);
	return rc;
}

void netpoll_event(int fd, u64 seq, u32 modes, struct gqueue *ret)
{
	struct pd *pd = netpoll_pd(fd);

	if (!pd || __atomic_load_n(&pd->seq, __ATOMIC_ACQUIRE) != seq)
		return;
	if (modes & GRT_MODE_READ)
		dir_event(&pd->dir[0], ret);
	if (modes & GRT_MODE_WRITE)
		dir_event(&pd->dir[1], ret);
}

/* They are nobody's yet: not queued, and no longer in their words. */
static void tell_ready(const struct gqueue *found, enum grt_netpoll_by by)
{
	i64 now = clock_ns();

	for (struct g *g = found->head; g; g = g->schedlink) {
		g->net_polled_ns = now;
		g->net_polled_by = by;
		PROBE_FIRE(netpoll_ready, g->goid, (u64)g->wait_fd, (u64)g->wait_mode, by);
	}
}

i32 netpoll_poll(i64 delay_ns, struct gqueue *ret, enum grt_netpoll_by by)
{
	struct gqueue found = { 0 };
	int events = backend->wait(delay_ns, &found);
	u32 n = found.size;

	MUST(events >= 0 || events == -EINTR, "netpoll: wait failed with %d", -events);
	PROBE_FIRE(netpoll_poll, (u64)delay_ns, n);
	if (PROBE_ON(netpoll_ready) || PROBE_ON(netpoll_run))
		tell_ready(&found, by);
	gqueue_append(ret, &found);
	return -(i32)n;
}

void netpoll_adjust(i32 delta)
{
	u32 now;

	if (!delta)
		return;
	now = __atomic_add_fetch(&sched.netpoll_waiters, (u32)delta, __ATOMIC_SEQ_CST);
	INVARIANT(16, (i32)now >= 0, "%d goroutines wait in the netpoller", (i32)now);
	(void)now;
}

bool netpoll_any_waiters(void)
{
	return __atomic_load_n(&sched.netpoll_waiters, __ATOMIC_SEQ_CST) != 0;
}

void netpoll_break(void)
{
	DEBUG_ONLY(__atomic_add_fetch(&sched.breaks, 1, __ATOMIC_SEQ_CST);)
	backend->wake();
}
