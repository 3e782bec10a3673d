/* SPDX-License-Identifier: MIT */
/*
 * alike.h - many things in few words, by what their names begin and end with: "97 FIFOs: /tmp/x/fifo-*",
 * "20 sockets: tcp 10.0.0.1:*->10.0.0.2:5432".
 */
#ifndef GOTRACE_ALIKE_H
#define GOTRACE_ALIKE_H

#include <stddef.h>

/* How much of the first `n` bytes of a is also the beginning of b, and of the last `n` the end. */
size_t alike_begin(const char *a, const char *b, size_t n);
size_t alike_end(const char *a, const char *b, size_t n);
/*
 * What n > 1 things are, of which one is called `name` and all share its first `begin` and last `end`
 * bytes. kind: of one of them, "FIFO"; name: NULL, if there is none.
 */
void alike_put(char *buf, size_t bytes, size_t n, const char *kind, const char *name, size_t begin,
	       size_t end);

#endif
