/* SPDX-License-Identifier: MIT */
/* net.c - grt/net.h: sockets that park the goroutine and block no thread. */
#include "include/grt/net.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "addr.h"
#include "include/grt/io.h"
#include "io.h"
#include "netpoll.h"
#include "netwait.h"
#include "sched.h"
#include "syscall.h"

/* Calls that do not wait, without touching errno. */
static int now(long nr, long a, long b, long c, long d, long e)
{
	return (int)call_raw(nr, a, b, c, d, e, 0);
}

/* A new descriptor is non-blocking already: let the netpoller know it, or close it again. */
static int adopt(int fd)
{
	int rc = netwait_open(fd);

	if (rc < 0) {
		now(SYS_close, fd, 0, 0, 0, 0);
		return rc;
	}
	return fd;
}

int grt_socket(int domain, int type, int protocol)
{
	int fd = now(SYS_socket, domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol, 0, 0);

	return fd < 0 ? fd : adopt(fd);
}

int grt_listen(const char *network, const char *address)
{
	struct addr a;
	int on = 1, rc = addr_parse(&a, network, address, true), fd;

	if (rc < 0)
		return rc;
	fd = grt_socket(a.sa.ss_family, a.type, 0);
	if (fd < 0)
		return fd;
	if (a.type == SOCK_STREAM && a.sa.ss_family != AF_UNIX)
		now(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, (long)&on, sizeof(on));
	rc = now(SYS_bind, fd, (long)&a.sa, a.len, 0, 0);
	if (rc == 0 && a.type == SOCK_STREAM)
		rc = now(SYS_listen, fd, SOMAXCONN, 0, 0, 0);
	if (rc < 0) {
		grt_close(fd);
		return rc;
	}
	return fd;
}

int grt_accept_dl(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline_ns)
{
	struct io_call c = { SYS_accept4,
			     { fd, (long)addr, (long)len, SOCK_NONBLOCK | SOCK_CLOEXEC },
			     GRT_MODE_READ };
	long r;

	/* A connection that was aborted while it waited to be accepted is nobody's error. */
	do
		r = io_call(&c, deadline_ns);
	while (r == -ECONNABORTED);
	return r < 0 ? (int)r : adopt((int)r);
}

int grt_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return grt_accept_dl(fd, addr, len, 0);
}

static int connect_result(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0, rc = now(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&err, (long)&len);

	return rc < 0 ? rc : -err;
}

static bool is_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return now(SYS_getpeername, fd, (long)&peer, (long)&len, 0, 0) == 0;
}

int grt_connect_dl(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline_ns)
{
	u64 seq = netpoll_generation(fd);
	long r = call_syscall(SYS_connect, fd, (long)addr, len, 0, 0, 0);

	/* EINTR: it goes on in the background, as with EINPROGRESS. */
	if (r != -EINPROGRESS && r != -EINTR)
		return (int)r;
	if (!seq || !sched_self())
		return -EPERM;
	for (;;) {
		int rc = netwait(fd, seq, GRT_MODE_WRITE, deadline_ns);

		if (rc == 0)
			rc = connect_result(fd);
		if (rc < 0 || is_connected(fd)) {
			netwait_done(fd, GRT_MODE_WRITE);
			return rc;
		}
		/* Woken by an event that was older than this connect. */
	}
}

int grt_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return grt_connect_dl(fd, addr, len, 0);
}

int grt_dial_dl(const char *network, const char *address, int64_t deadline_ns)
{
	struct addr a;
	int rc = addr_parse(&a, network, address, false), fd;

	if (rc < 0)
		return rc;
	fd = grt_socket(a.sa.ss_family, a.type, 0);
	if (fd < 0)
		return fd;
	rc = grt_connect_dl(fd, (struct sockaddr *)&a.sa, a.len, deadline_ns);
	if (rc < 0) {
		grt_close(fd);
		return rc;
	}
	return fd;
}

int grt_dial(const char *network, const char *address)
{
	return grt_dial_dl(network, address, 0);
}

ssize_t grt_recvfrom_dl(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
			socklen_t *len, int64_t deadline_ns)
{
	struct io_call c = { SYS_recvfrom,
			     { fd, (long)buf, (long)bytes, flags, (long)from, (long)len },
			     GRT_MODE_READ };

	return io_call(&c, deadline_ns);
}

ssize_t grt_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
		     socklen_t *len)
{
	return grt_recvfrom_dl(fd, buf, bytes, flags, from, len, 0);
}

ssize_t grt_sendto_dl(int fd, const void *buf, size_t bytes, int flags, const struct sockaddr *to,
		      socklen_t len, int64_t deadline_ns)
{
	struct io_call c = { SYS_sendto,
			     { fd, (long)buf, (long)bytes, flags, (long)to, len },
			     GRT_MODE_WRITE };

	return io_call(&c, deadline_ns);
}

ssize_t grt_sendto(int fd, const void *buf, size_t bytes, int flags, const struct sockaddr *to,
		   socklen_t len)
{
	return grt_sendto_dl(fd, buf, bytes, flags, to, len, 0);
}

ssize_t grt_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct io_call c = { SYS_recvmsg, { fd, (long)msg, flags }, GRT_MODE_READ };

	return io_call(&c, 0);
}

ssize_t grt_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct io_call c = { SYS_sendmsg, { fd, (long)msg, flags }, GRT_MODE_WRITE };

	return io_call(&c, 0);
}
