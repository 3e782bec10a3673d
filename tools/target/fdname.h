/* SPDX-License-Identifier: MIT */
/*
 * fdname.h - what a descriptor of the target is: a path, "epoll", "pipe:[123]", or the two ends of
 * a socket. Reads /proc; what cannot be read has no name.
 */
#ifndef GOTRACE_FDNAME_H
#define GOTRACE_FDNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct fdname;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct fdname *fdname_new(pid_t tid);
void fdname_free(struct fdname *f);
/* Time has passed: sockets may have changed their ends. */
void fdname_refresh(struct fdname *f);
bool fdname_get(struct fdname *f, int fd, char *buf, size_t bytes);

#define FDNAME_BYTES 512
#define FDNAME_KIND_BYTES 32

struct fdname_is {
	char name[FDNAME_BYTES];
	/* "FIFO", "pipe", "socket", "file", "directory", "device", "eventfd", ...; empty: not known. */
	char kind[FDNAME_KIND_BYTES];
	/*
	 * What is wrong with it: "socket in blocking mode" or "pipe in blocking mode" (a call on it
	 * blocks its thread, where the netpoller could wait), "deleted"; empty: nothing; NULL: not known.
	 */
	const char *note;
};

/* All that is known of it. False: there is no such descriptor. */
bool fdname_look(struct fdname *f, int fd, struct fdname_is *ret);
/* The kind of a file by its S_IFMT. */
const char *fdname_kind_of_file(unsigned int type);

#endif
