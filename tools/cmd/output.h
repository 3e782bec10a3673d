/* SPDX-License-Identifier: MIT */
/*
 * output.h - stdout of the verbs that watch: a signal ends the wait for a reader who does not read.
 */
#ifndef GOTRACE_OUTPUT_H
#define GOTRACE_OUTPUT_H

/* stdout from now on; on failure it stays as it was. Once, before anything was written. */
void output_init(void);
/* What was written last: a reader who has gone is no failure, and one who has not read in time is told of. */
void output_end(void);

#endif
