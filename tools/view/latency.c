/* SPDX-License-Identifier: MIT */
/* latency.c - see latency.h. */
#include "latency.h"

#include <string.h>

#include "fmt.h"
#include "formats.h"

void latency_cell(char *cell, const struct hist *h, double quantile)
{
	if (h->n == 0)
		strcpy(cell, "-");
	else
		fmt_duration(cell, quantile > 1 ? h->max : hist_quantile(h, quantile));
}

void count_cell(char *cell, uint64_t n)
{
	if (n == 0)
		strcpy(cell, "-");
	else
		fmt_count(cell, n);
}

void rate_cell(char *cell, uint64_t n, uint64_t ns)
{
	if (ns == 0)
		strcpy(cell, "-");
	else
		fmt_rate(cell, n, ns);
}

void json_latency(struct json *j, const char *key, const struct hist *h)
{
	json_open(j, key, '{');
	json_uint(j, "n", h->n);
	json_uint_or_null(j, "p50_ns", h->n, hist_quantile(h, 0.5));
	json_uint_or_null(j, "p90_ns", h->n, hist_quantile(h, 0.9));
	json_uint_or_null(j, "p99_ns", h->n, hist_quantile(h, 0.99));
	json_uint_or_null(j, "max_ns", h->n, h->max);
	json_uint(j, "sum_ns", h->sum);
	json_close(j);
}

/* What the governor of probes decides with one snapshot is so until the next. */
bool interval_is_whole(struct interval_state *s, const struct model *m, uint32_t groups)
{
	bool was_shed = s->was_shed;

	s->was_shed = (model_cost(m)->shed & groups) != 0;
	return !was_shed;
}
