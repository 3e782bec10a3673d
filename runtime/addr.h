/* SPDX-License-Identifier: MIT */
/* addr.h - "tcp", "127.0.0.1:80" -> a socket address. Hosts are numeric: no resolver is asked. */
#ifndef GRT_ADDR_H
#define GRT_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

struct addr {
	int type; /* SOCK_STREAM, SOCK_DGRAM */
	socklen_t len;
	struct sockaddr_storage sa;
};

/* is_local: an empty host means any address, else the loopback one. 0 or -EINVAL. */
int addr_parse(struct addr *ret, const char *network, const char *address, bool is_local);

#endif
