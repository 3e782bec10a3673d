/* SPDX-License-Identifier: MIT */
/*
 * identity.h - from a pid to a process that can be studied, or to the true reason why not. Each
 * function tells the user and returns an exit code, EXIT_FINE (and no word) if all is well.
 */
#ifndef GOTRACE_IDENTITY_H
#define GOTRACE_IDENTITY_H

#include "../diag.h"
#include "target.h"

/* Fills everything in *t that is about the process and not about its memory. */
enum exit_code identity_open(struct target *t, pid_t pid);
/* `what` (a phrase: "cannot read the memory of") failed with -errno on an existing process. */
enum exit_code identity_refused(const struct target *t, const char *what, int error);

#endif
