/* SPDX-License-Identifier: MIT */
/*
 * wrap.h - text of the target (names, paths, symbols) in lines: wrapped at words, indented, and
 * with nothing in it that a terminal would take for a command.
 */
#ifndef GOTRACE_WRAP_H
#define GOTRACE_WRAP_H

#include <stdio.h>

/* indent: of all lines; further ones by two more. A word longer than a line is not cut. */
void wrap_put(FILE *out, const char *text, unsigned int indent, unsigned int columns);

#endif
