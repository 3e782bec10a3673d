/* SPDX-License-Identifier: MIT */
/*
 * fdname.h - what a descriptor of the target is: a path, "epoll", "pipe:[123]", or the two ends of
 * a socket. Reads /proc; what cannot be read has no name.
 */
#ifndef GOTRACE_FDNAME_H
#define GOTRACE_FDNAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fdname;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct fdname *fdname_new(pid_t tid);
void fdname_free(struct fdname *f);
/* Time has passed: sockets may have changed their ends. */
void fdname_refresh(struct fdname *f);
/* ret_file, may be NULL: see fdname_is_another. */
bool fdname_get(struct fdname *f, int fd, char *buf, size_t bytes, uint64_t *ret_file);

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
	uint64_t file; /* see fdname_is_another */
};

/* All that is known of it. False: there is no such descriptor. */
bool fdname_look(struct fdname *f, int fd, struct fdname_is *ret);
/*
 * Is a number another file's now? was, is: as fdname_look and fdname_get have told of it. A file that was
 * deleted, or a socket that has another end now, is the same; files are told apart by their paths, so that one
 * that was renamed is another. was 0: nothing was told.
 */
bool fdname_is_another(uint64_t was, uint64_t is);
/* The kind of a file by its S_IFMT. */
const char *fdname_kind_of_file(unsigned int type);

#endif
