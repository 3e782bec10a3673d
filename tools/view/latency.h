/* SPDX-License-Identifier: MIT */
/* latency.h - histograms as reports show them: cells of a table, members of an object. */
#ifndef GOTRACE_LATENCY_H
#define GOTRACE_LATENCY_H

#include "../json.h"
#include "../model/model.h"
#include "grid.h"

#define LATENCY_MAX 2.0 /* as a quantile: the greatest value itself */

/* "86us"; "-": nothing was measured. */
void latency_cell(char *cell, const struct hist *h, double quantile);
/* "12", "10k"; "-" for none, so that what is there stands out. */
void count_cell(char *cell, uint64_t n);
/* n in so many ns as a rate; "-": no time to make it from. */
void rate_cell(char *cell, uint64_t n, uint64_t ns);
/* {"n":..,"p50_ns":..,"p90_ns":..,"p99_ns":..,"max_ns":..,"sum_ns":..}; null where n is 0. */
void json_latency(struct json *j, const char *key, const struct hist *h);

/* State of a report that shows intervals, and what it knows of probes taken off meanwhile. */
struct interval_state {
	struct grid_lines lines;
	bool was_shed;
};
/*
 * Once a tick: were probes of these groups (enum grt_temperature) armed in the interval that ends?
 */
bool interval_is_whole(struct interval_state *s, const struct model *m, uint32_t groups);

#endif
