/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where things are in a runtime's memory: one struct, filled from libgrt's ELF note
 * (later also from a Go binary), used by the snapshot reader and by BPF and by nothing else.
 */
#ifndef GOTRACE_LAYOUT_H
#define GOTRACE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum layout_variant { LAYOUT_NONE, LAYOUT_GRT };

struct layout_field {
	uint32_t off;   /* bytes from the start of its struct */
	uint16_t width; /* bytes: 1, 2, 4, 8 */
	uint16_t known; /* 0: the target does not say */
};

struct layout {
	enum layout_variant variant;
	/* Addresses in the target, load bias applied. */
#define LAYOUT_GLOBAL(id, name, sym) uint64_t name;
#define LAYOUT_SIZE(id, name, type) uint32_t name;
#define LAYOUT_FIELD(id, name, type, member) struct layout_field name;
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
};

/*
 * Parse the descriptor of a note whose first byte is at address desc_addr in the target.
 * 0, or -EINVAL with a sentence that names the field in err.
 */
int layout_parse(struct layout *ret, const void *desc, size_t bytes, uint64_t desc_addr, char *err,
		 size_t err_bytes);
/* Value of a field inside a copy of its struct; unknown fields read as 0. */
uint64_t layout_get(const struct layout_field *f, const void *copy);
int64_t layout_get_signed(const struct layout_field *f, const void *copy);

#endif
