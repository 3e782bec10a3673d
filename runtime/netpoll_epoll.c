/* SPDX-License-Identifier: MIT */
/*
 * netpoll_epoll.c - the netpoller's backend on epoll.
 *
 * Edge-triggered, both directions, registered once per use of a descriptor: a wait costs no system
 * call.
 * An event carries the fd number and its generation. A description may outlive its close in this
 * process (a forked child holds it); its events then come with an old generation and are dropped.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "netpoll.h"

#define FD_BITS 20
#define FD_MASK ((1u << FD_BITS) - 1)
_Static_assert(FDS_MAX == 1u << FD_BITS, "an event holds every fd number");
#define SEQ_BITS (64 - FD_BITS)
#define WAKE_DATA (~0ull)
#define NS_PER_S 1000000000ll
#define NS_PER_MS 1000000ll

static int wake_fd;
static u32 is_woken;      /* A  a wake-up is written and not read yet */
static u32 has_no_pwait2; /* A  kernel before 5.11 */

static u64 data_of(int fd, u64 seq)
{
	return (u64)fd | seq << FD_BITS;
}

static int epoll_init(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = WAKE_DATA };

	sched.epfd = epoll_create1(EPOLL_CLOEXEC);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sched.epfd < 0 || wake_fd < 0 ||
	    epoll_ctl(sched.epfd, EPOLL_CTL_ADD, wake_fd, &ev) != 0)
		return -errno;
	return 0;
}

static int epoll_add(int fd, u64 seq)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.u64 = data_of(fd, seq),
	};

	int saved = errno, rc = epoll_ctl(sched.epfd, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -errno;

	errno = saved;
	return rc;
}

static void epoll_del(int fd)
{
	struct epoll_event unused = { 0 };

	int saved = errno;

	epoll_ctl(sched.epfd, EPOLL_CTL_DEL, fd, &unused);
	errno = saved;
}

static void epoll_wake(void)
{
	u64 one = 1;

	if (__atomic_exchange_n(&is_woken, 1, __ATOMIC_SEQ_CST))
		return;
	while (write(wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Only a poll that waits takes the wake-up: it was meant for one that sleeps. */
static void woken(i64 delay_ns)
{
	u64 count;

	if (delay_ns == 0)
		return;
	if (read(wake_fd, &count, sizeof(count)) > 0)
		__atomic_store_n(&is_woken, 0, __ATOMIC_SEQ_CST);
}

static int wait_ms(struct epoll_event *ev, i64 delay_ns)
{
	i64 ms = delay_ns < 0 ? -1 : (delay_ns + NS_PER_MS - 1) / NS_PER_MS;

	return epoll_wait(sched.epfd, ev, NETPOLL_EVENTS, ms > 1000000000 ? 1000000000 : (int)ms);
}

static int wait_ns(struct epoll_event *ev, i64 delay_ns)
{
	struct timespec ts = { delay_ns / NS_PER_S, delay_ns % NS_PER_S };

	if (delay_ns <= 0 || __atomic_load_n(&has_no_pwait2, __ATOMIC_RELAXED))
		return wait_ms(ev, delay_ns);
#ifdef SYS_epoll_pwait2
	int n = (int)syscall(SYS_epoll_pwait2, sched.epfd, ev, NETPOLL_EVENTS, &ts, NULL, 0);

	if (n >= 0 || errno != ENOSYS)
		return n;
#endif
	__atomic_store_n(&has_no_pwait2, 1, __ATOMIC_RELAXED);
	return wait_ms(ev, delay_ns);
}

static u32 modes_of(u32 events)
{
	u32 modes = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		modes |= GRT_MODE_READ;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		modes |= GRT_MODE_WRITE;
	return modes;
}

static int epoll_poll(i64 delay_ns, struct gqueue *ret)
{
	struct epoll_event ev[NETPOLL_EVENTS];
	int n = wait_ns(ev, delay_ns);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		u64 data = ev[i].data.u64;

		if (data == WAKE_DATA)
			woken(delay_ns);
		else
			netpoll_event((int)(data & FD_MASK), data >> FD_BITS,
				      modes_of(ev[i].events), ret);
	}
	return n;
}

const struct netpoll_backend netpoll_epoll = {
	.init = epoll_init,
	.add = epoll_add,
	.del = epoll_del,
	.wake = epoll_wake,
	.wait = epoll_poll,
};
