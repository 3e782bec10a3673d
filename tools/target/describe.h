/* SPDX-License-Identifier: MIT */
/*
 * describe.h - what something that is no libgrt program looks like, in a few words: "a Go program
 * (go1.19.8)", "Python", "a static program". A guess from its file and its libraries, for the user.
 */
#ifndef GOTRACE_DESCRIBE_H
#define GOTRACE_DESCRIBE_H

#include <sys/types.h>

#include "image.h"

void describe_image(const struct image *im, const char *name, char *ret, size_t bytes);
/* tid: whose /proc entries to read. */
void describe_process(pid_t tid, char *ret, size_t bytes);

#endif
