/* SPDX-License-Identifier: MIT */
/*
 * growth_view.h - what both formats of `gotrace growth` show: limits, and when they would be
 * reached.
 */
#ifndef GOTRACE_VIEW_GROWTH_VIEW_H
#define GOTRACE_VIEW_GROWTH_VIEW_H

#include "view.h"

struct growth_opts {
	FILE *pprof; /* where the profile goes at the end; NULL: nowhere */
	bool *ret_pprof_failed;
};

enum growth_limit { LIMIT_RUNTIME, LIMIT_NPROC, LIMIT_CGROUP, GROWTH_LIMITS };

struct growth_eta {
	const char *name; /* "runtime's limit" */
	uint64_t limit, used;
	bool has_eta; /* threads grow */
	uint64_t eta_ns;
};

/* False: there is no such limit, or it is not known. */
bool growth_eta(struct growth_eta *ret, const struct model *m, enum growth_limit which);
/* The limit that would be reached first; false: none would. */
bool growth_nearest(struct growth_eta *ret, const struct model *m);
/* Of all threads made while watched. */
double growth_share(const struct model *m, double threads);

/* Causes of the model that are one to people. */
struct growth_cause {
	const struct model_cause *first;
	const char *kind; /* of all that they are made on */
	double threads;
	uint64_t now;
	size_t objects;
	size_t begin, end; /* bytes that their calls begin and end with */
};
/* Most threads first: made, or now. The caller frees. */
size_t growth_causes(struct growth_cause **ret, const struct model *m, bool is_now);
/* "fsync(/data/wal)", "read(97 FIFOs: /tmp/x/fifo-*)" */
void growth_call(char *buf, size_t bytes, const struct growth_cause *c);

void growth_json(struct view *v, struct json *j, const struct model *m);

#endif
