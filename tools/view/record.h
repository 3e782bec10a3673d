/* SPDX-License-Identifier: MIT */
/* record.h - what `gotrace record` tells: the verb fills it, the report shows it. */
#ifndef GOTRACE_VIEW_RECORD_H
#define GOTRACE_VIEW_RECORD_H

#include "view.h"

/* So far, or in the end. */
struct record_done {
	const char *path;
	uint64_t records, snapshots, bytes; /* in the file */
	uint64_t unwritten;                 /* handed over after the file had ended */
	bool is_full;                       /* the size that was asked for is reached */
	bool has_failed;                    /* a write failed */
};

extern const struct report report_record;

#endif
