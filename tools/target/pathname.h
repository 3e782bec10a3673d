/* SPDX-License-Identifier: MIT */
/*
 * pathname.h - where a path that the target has given to the kernel leads now. Never asks a file system
 * that may not answer: who looks for the cause of a hang must not be its next victim.
 */
#ifndef GOTRACE_PATHNAME_H
#define GOTRACE_PATHNAME_H

#include <sys/types.h>

enum pathname_is {
	PATHNAME_UNKNOWN, /* nobody could be asked safely */
	PATHNAME_THERE,
	PATHNAME_GONE,
};

/*
 * tid: a thread whose /proc entries show the process; dir_fd: a descriptor of the target's, or AT_FDCWD.
 * ret_type: S_IFMT bits of what is there, 0: not known.
 */
enum pathname_is pathname_look(pid_t tid, int dir_fd, const char *path, unsigned int *ret_type);

#endif
