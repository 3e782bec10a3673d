/* SPDX-License-Identifier: MIT */
/* service.h - hands on what comes from a log's pipe to a client. */
#ifndef SERVICE_H
#define SERVICE_H

struct service {
	int log;    /* read end of a pipe */
	int client; /* a socket */
};

/* Serve one client, in a goroutine of its own, until the log ends. 0, or -errno. */
int service_start(struct service *s);

#endif
