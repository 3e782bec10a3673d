/* SPDX-License-Identifier: MIT */
/* hist.c - see hist.h. Values below 16 have a bucket each; above, 16 buckets a power of two. */
#include "hist.h"

#define STEP_BITS 4
#define STEPS (1u << STEP_BITS)

static unsigned int bucket_of(uint64_t v)
{
	unsigned int log2;

	if (v < STEPS)
		return (unsigned int)v;
	log2 = 63u - (unsigned int)__builtin_clzll(v);
	return (log2 - STEP_BITS + 1) * STEPS +
	       (unsigned int)((v >> (log2 - STEP_BITS)) & (STEPS - 1));
}

static uint64_t bucket_last(unsigned int i)
{
	if (i < STEPS)
		return i;
	return ((uint64_t)(STEPS + i % STEPS + 1) << (i / STEPS - 1)) - 1;
}

void hist_add(struct hist *h, uint64_t v)
{
	h->n++;
	h->sum += v;
	if (v > h->max)
		h->max = v;
	h->bucket[bucket_of(v)]++;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	into->n += from->n;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)(q * (double)h->n), seen = 0;

	if (h->n == 0)
		return 0;
	if ((double)rank < q * (double)h->n)
		rank++;
	if (rank == 0)
		rank = 1;
	for (unsigned int i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return bucket_last(i) < h->max ? bucket_last(i) : h->max;
	}
	return h->max;
}

uint64_t hist_samples_min(unsigned percentile)
{
	unsigned above = percentile < 100 ? 100 - percentile : 0;

	return above ? (100 + above - 1) / above : 1;
}
