/* SPDX-License-Identifier: MIT */
/*
 * errno.h - an errno that survives a change of thread.
 *
 * glibc declares __errno_location() as const, so compilers compute the address once and use it
 * after a call that moved the goroutine: the code then reads another thread's errno. Here the
 * address is asked for at each use.
 */
#ifndef GRT_ERRNO_H
#define GRT_ERRNO_H

#include <errno.h>
#include <grt/api.h>

GRT_BEGIN

/* Address of errno of the calling thread, now. Any thread; parks, blocks, releases nothing. */
GRT_API int *grt_errno_location(void);

GRT_END

#undef errno
#define errno (*grt_errno_location())

#endif
