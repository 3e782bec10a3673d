/* SPDX-License-Identifier: MIT */
/*
 * module.h - the one file in a process that holds libgrt: found by its layout note among all that
 * is mapped executable. Functions tell the user and return an exit code.
 */
#ifndef GOTRACE_MODULE_H
#define GOTRACE_MODULE_H

#include "../diag.h"
#include "image.h"
#include "target.h"

/* Fills t->module, t->layout and t->site from the maps of t->via_tid. */
enum exit_code module_find(struct target *t);
/* The same from one ELF file that is not running. Takes over fd. */
enum exit_code module_read_file(struct target *t, int fd);

#endif
