/* SPDX-License-Identifier: MIT */
/* hist.h - log-linear histogram of ns: 16 steps per power of two, error below 7 %. */
#ifndef GOTRACE_HIST_H
#define GOTRACE_HIST_H

#include <stdint.h>

#define HIST_BUCKETS (64 * 16)

struct hist {
	uint64_t n, sum, max;
	uint32_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t v);
void hist_merge(struct hist *into, const struct hist *from);
/* Upper bound of the bucket that holds the q-quantile (0..1), at most max; 0 if empty. */
uint64_t hist_quantile(const struct hist *h, double q);
/* Values that a percentile (1..100) needs to be told from the greatest one. */
uint64_t hist_samples_min(unsigned percentile);

#endif
