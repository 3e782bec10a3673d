/* SPDX-License-Identifier: MIT */
/* hash.h - hashes that tell things apart within one run: none is written to a file or compared across runs. */
#ifndef GOTRACE_HASH_H
#define GOTRACE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static inline uint64_t hash_bytes(uint64_t h, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		h = hash_mix(h, (unsigned char)text[i]);
	return hash_mix(h, bytes);
}

static inline uint64_t hash_text(uint64_t h, const char *text)
{
	return hash_bytes(h, text, strlen(text));
}

#endif
