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
/*
 * What is wrong with it: "socket in blocking mode" or "pipe in blocking mode" (a call on it blocks
 * its thread, where the netpoller could wait), "deleted"; empty: nothing. False: there is no such
 * descriptor.
 */
bool fdname_note(struct fdname *f, int fd, char *buf, size_t bytes);

#endif
