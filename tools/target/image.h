/* SPDX-License-Identifier: MIT */
/*
 * image.h - an ELF file, read with distrust: every size and offset in it may be a lie. Nothing here
 * reads past what the file has; a lie ends in "not found" or in a sentence, never in a crash.
 */
#ifndef GOTRACE_IMAGE_H
#define GOTRACE_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
	Elf *elf;
	GElf_Ehdr header;
	size_t nsegments;
	int fd; /* borrowed */
};

/* One note, pointing into the buffer it was found in. */
struct note {
	uint32_t type;
	const char *owner; /* ends with 0 inside the note */
	const uint8_t *desc;
	size_t bytes;
	size_t desc_at; /* offset of desc in the buffer */
};

struct note_iter {
	const uint8_t *data;
	size_t bytes, at;
	size_t align; /* 4, or 8 where the segment says so */
};

/* 0, or -EINVAL with why it is no ELF file for x86-64 in err. fd must stay open until the close. */
int image_open(struct image *im, int fd, char *err, size_t err_bytes);
void image_close(struct image *im);

/* Segment of type PT_LOAD that holds vaddr; with_file: in the part that comes from the file. */
bool image_segment(const struct image *im, uint64_t vaddr, bool with_file, GElf_Phdr *ret);
/* Segment of type PT_LOAD that was mapped at file offset off, which the kernel rounds to pages. */
bool image_segment_mapped(const struct image *im, uint64_t off, GElf_Phdr *ret);
/* Bytes of a section, valid until the close; NULL: no such section, or it is empty or damaged. */
const uint8_t *image_section(const struct image *im, const char *name, size_t *ret_bytes,
			     uint64_t *ret_vaddr);
/* Does the dynamic section ask for a library whose name starts so? */
bool image_needs(const struct image *im, const char *library);
bool image_is_dynamic(const struct image *im);
/* The i-th segment of type PT_NOTE; false past the last one. Damaged ones come as empty. */
bool image_notes(const struct image *im, size_t i, struct note_iter *ret, uint64_t *ret_vaddr);

/* The next note that fits into the buffer; false at the end or at the first that does not. */
bool note_next(struct note_iter *it, struct note *ret);

#endif
