/* SPDX-License-Identifier: MIT */
/*
 * grt.h - a goroutine runtime for C. Include this one.
 *
 * Each function says what it does to the three things a Go programmer would ask about:
 *
 *   parks the G      the goroutine waits, its thread runs others
 *   blocks the M     the thread sleeps in the kernel
 *   releases the P   if the thread sleeps for long, the right to run goes to another thread
 *
 * Results are values >= 0 or -errno; errno itself is not touched by grt_ calls. "Any thread" means
 * also threads that the runtime does not own (made by pthread_create): there, calls that would
 * park return -EPERM. In the child of a raw fork() any grt_ call ends the process with a message.
 * Deadlines are absolute CLOCK_MONOTONIC nanoseconds; 0 means none; one in the past means "do not
 * wait".
 *
 * errno and thread-local storage: a goroutine may continue on another thread after any call that
 * parks it, releases its P or yields. libgrt keeps errno per goroutine, and <grt/errno.h> makes
 * `errno` safe to use around such calls. Pointers to __thread variables of your own are not safe
 * across them.
 */
#ifndef GRT_H
#define GRT_H

#include <grt/errno.h>
#include <grt/io.h>
#include <grt/net.h>
#include <grt/run.h>
#include <grt/sync.h>
#include <grt/trace.h>

#endif
