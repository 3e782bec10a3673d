/* SPDX-License-Identifier: MIT */
/*
 * call.h - what a thread is doing in the words of strace: read(7</var/log/x>, 65536). The names of
 * descriptors, strings and functions are the model's; where none came, the bare number stands.
 */
#ifndef GOTRACE_CALL_H
#define GOTRACE_CALL_H

#include <stddef.h>

#include "../model/model.h"

#define CALL_BYTES 512

/* Empty when there is nothing to say. */
void call_text(char *buf, size_t bytes, const struct model *m, const struct model_thread *t);

#endif
