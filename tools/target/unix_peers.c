/* SPDX-License-Identifier: MIT */
/* unix_peers.c - see unix_peers.h: one dump by netlink (sock_diag), which needs no privilege. */
#include "unix_peers.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPLY_BYTES 32768
#define WAIT_S 1 /* the kernel answers at once, or never */

static bool is_in_our_network(pid_t tid)
{
	char path[64];
	struct stat own, its;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", tid);
	return stat("/proc/self/ns/net", &own) == 0 && stat(path, &its) == 0 &&
	       own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}

static int ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req req;
	} m = {
		.head = { .nlmsg_len = sizeof(m),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = ~0u,
			 .udiag_show = UDIAG_SHOW_PEER },
	};
	struct timeval limit = { .tv_sec = WAIT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return send(fd, &m, sizeof(m), 0) == (ssize_t)sizeof(m) ? 0 : -errno;
}

static void socket_read(const struct nlmsghdr *h, unix_peer_fn add, void *arg)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*msg));

	for (const struct rtattr *a = (const struct rtattr *)(msg + 1); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		uint32_t peer;

		if (a->rta_type != UNIX_DIAG_PEER || RTA_PAYLOAD(a) < sizeof(peer))
			continue;
		memcpy(&peer, RTA_DATA(a), sizeof(peer));
		add(arg, msg->udiag_ino, peer);
	}
}

/* 1: there is more; 0: that was all. */
static int reply_read(int fd, unix_peer_fn add, void *arg)
{
	static char buf[REPLY_BYTES] __attribute__((aligned(8)));
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	int left = (int)n;

	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	for (const struct nlmsghdr *h = (const struct nlmsghdr *)buf; NLMSG_OK(h, (unsigned)left);
	     h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EOPNOTSUPP;
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			socket_read(h, add, arg);
	}
	return 1;
}

int unix_peers_read(pid_t tid, unix_peer_fn add, void *arg)
{
	int fd, rc;

	if (!is_in_our_network(tid))
		return -EXDEV;
	fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	rc = ask(fd);
	while (rc == 0 && (rc = reply_read(fd, add, arg)) > 0)
		rc = 0;
	close(fd);
	return rc;
}
