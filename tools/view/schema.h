/* SPDX-License-Identifier: MIT */
/* schema.h - the JSON Schemas of all reports, shipped in the binary. */
#ifndef GOTRACE_SCHEMA_H
#define GOTRACE_SCHEMA_H

#include <stdbool.h>
#include <stdio.h>

/* A name a report, by index; NULL past the last. */
const char *schema_name(int i);
/* The schema of one line of a report's output; false: there is no such report. */
bool schema_print(const char *name, FILE *out);

#endif
