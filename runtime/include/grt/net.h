/* SPDX-License-Identifier: MIT */
/*
 * net.h - sockets. All that are made here are non-blocking, close-on-exec and known to the
 * netpoller: waiting parks the G and blocks no thread. Options (setsockopt, bind, shutdown, ...) are
 * set with the system's own calls on the same descriptor.
 *
 * All: result or -errno. Calls that can wait have a _dl twin (-ETIMEDOUT) and return -EPERM off a
 * goroutine if they would have to wait.
 */
#ifndef GRT_NET_H
#define GRT_NET_H

#include <grt/api.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

GRT_BEGIN

/* As socket(2). Does not wait. Any thread. */
GRT_API int grt_socket(int domain, int type, int protocol);

/*
 * Listen on an address: network is "tcp", "tcp4", "tcp6" (address "host:port", "[v6]:port", ":port"),
 * or "unix" (a path; "@name": abstract). host is numeric. SO_REUSEADDR is set for TCP.
 * For "udp", "udp4", "udp6", "unixgram": a bound socket. Descriptor, -EINVAL for a bad address.
 */
GRT_API int grt_listen(const char *network, const char *address);

/* Connect to an address as above. Parks the G. */
GRT_API int grt_dial(const char *network, const char *address);
GRT_API int grt_dial_dl(const char *network, const char *address, int64_t deadline_ns);

/* accept4(2); addr and len may be NULL. Any number of goroutines may accept on one. Parks the G. */
GRT_API int grt_accept(int fd, struct sockaddr *addr, socklen_t *len);
GRT_API int grt_accept_dl(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline_ns);

/* connect(2) on a socket made by grt_socket. Parks the G. */
GRT_API int grt_connect(int fd, const struct sockaddr *addr, socklen_t len);
GRT_API int grt_connect_dl(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline_ns);

/* As the system calls. Park the G. */
GRT_API ssize_t grt_recvfrom(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
			     socklen_t *len);
GRT_API ssize_t grt_recvfrom_dl(int fd, void *buf, size_t bytes, int flags, struct sockaddr *from,
				socklen_t *len, int64_t deadline_ns);
GRT_API ssize_t grt_sendto(int fd, const void *buf, size_t bytes, int flags,
			   const struct sockaddr *to, socklen_t len);
GRT_API ssize_t grt_sendto_dl(int fd, const void *buf, size_t bytes, int flags,
			      const struct sockaddr *to, socklen_t len, int64_t deadline_ns);
GRT_API ssize_t grt_recvmsg(int fd, struct msghdr *msg, int flags);
GRT_API ssize_t grt_sendmsg(int fd, const struct msghdr *msg, int flags);

GRT_END

#endif
