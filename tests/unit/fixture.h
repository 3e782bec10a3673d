/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - notes and ELF files as libgrt makes them, put together by hand, so that a test can
 * damage every byte of them; and memory that ends at a page nobody may touch, so that reading one
 * byte too many is a crash in every build and not only in a sanitized one.
 */
#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include <assert.h>
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../tools/target/target.h"

/* Bytes that end where a page without access begins. */
struct fenced {
	uint8_t *data;
	size_t bytes;
	void *map;
	size_t map_bytes;
};

static inline struct fenced fenced_copy(const void *from, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (bytes + page - 1) / page * page;
	struct fenced f = { .bytes = bytes, .map_bytes = room + page };

	f.map = mmap(NULL, f.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(f.map != MAP_FAILED);
	assert(mprotect((char *)f.map + room, page, PROT_NONE) == 0);
	f.data = (uint8_t *)f.map + room - bytes;
	if (bytes)
		memcpy(f.data, from, bytes);
	return f;
}

static inline void fenced_free(struct fenced *f)
{
	munmap(f->map, f->map_bytes);
}

/* A buffer that grows at its end. */
struct bytes {
	uint8_t data[16384];
	size_t n;
};

static inline size_t bytes_put(struct bytes *b, const void *from, size_t n)
{
	size_t at = b->n;

	assert(b->n + n <= sizeof(b->data));
	memcpy(b->data + b->n, from, n);
	b->n += n;
	return at;
}

static inline size_t bytes_align(struct bytes *b, size_t to)
{
	while (b->n % to)
		b->data[b->n++] = 0;
	return b->n;
}

static inline void bytes_note(struct bytes *b, const char *owner, uint32_t type, const void *desc,
			      size_t desc_bytes)
{
	uint32_t head[3] = { (uint32_t)strlen(owner) + 1, (uint32_t)desc_bytes, type };

	bytes_put(b, head, sizeof(head));
	bytes_put(b, owner, head[0]);
	bytes_align(b, 4);
	bytes_put(b, desc, desc_bytes);
	bytes_align(b, 4);
}

/* One row of the layout note: id, value, width. */
struct note_row {
	uint32_t id, value, width;
	const char *name, *of;
};

enum { ROW_FIELD_BYTES = 8, STRUCT_BYTES = 512 };

/*
 * The rows of layout.def for structs whose fields are 8 bytes each, one after the other. Values of
 * globals are filled in by who knows the addresses. Returns how many.
 */
static inline size_t note_rows(struct note_row ret[128])
{
	static const struct note_row row[] = {
#define LAYOUT_GLOBAL(id, name, sym) { id, 0, 8, #name, "" },
#define LAYOUT_SIZE(id, name, type) { id, STRUCT_BYTES, 0, #name, #type },
#define LAYOUT_FIELD(id, name, type, member) { id, 0, ROW_FIELD_BYTES, #name, #type },
#include "../../runtime/layout.def"
#undef LAYOUT_GLOBAL
#undef LAYOUT_SIZE
#undef LAYOUT_FIELD
	};
	size_t n = sizeof(row) / sizeof(row[0]);

	assert(n <= 128);
	memcpy(ret, row, sizeof(row));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (ret[i].width && ret[k].width && !strcmp(ret[i].of, ret[k].of) &&
			    *ret[i].of)
				ret[i].value += ROW_FIELD_BYTES;
	return n;
}

static inline struct note_row *note_row_find(struct note_row *row, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(row[i].name, name))
			return &row[i];
	abort();
}

/* The descriptor of a layout note. */
static inline void note_desc(struct bytes *b, uint32_t version, const struct note_row *row,
			     size_t n)
{
	uint32_t head[2] = { version, (uint32_t)n };

	b->n = 0;
	bytes_put(b, head, sizeof(head));
	for (size_t i = 0; i < n; i++)
		bytes_put(b, &row[i], 3 * sizeof(uint32_t));
}

/* Where things are in the ELF file below. */
enum {
	CODE_VADDR = 0x400000,
	DATA_VADDR = 0x600000,
	DATA_BYTES = 1024, /* the semaphores, and behind the file's part sched and the tables */
	BSS_BYTES = 4096,
};

struct elf_fixture {
	struct bytes file;
	size_t note_at, note_bytes; /* .note.grt */
	size_t sdt_at, sdt_bytes;   /* .note.stapsdt */
	size_t sections_at;
};

static inline void fixture_sdt(struct bytes *b, const struct probe_desc *d, uint64_t pc,
			       uint64_t base, uint64_t semaphore)
{
	static const char *const arg[] = {
		"8@%rdi", "8@%rsi", "8@%rdx", "8@$7", "-4@%r8d", "8@%r9"
	};
	uint64_t words[3] = { pc, base, semaphore };
	struct bytes desc = { .n = 0 };

	bytes_put(&desc, words, sizeof(words));
	bytes_put(&desc, "grt", 4);
	bytes_put(&desc, d->name, strlen(d->name) + 1);
	for (int i = 0; i < d->nargs; i++) {
		bytes_put(&desc, arg[i], strlen(arg[i]));
		bytes_put(&desc, i + 1 < d->nargs ? " " : "", i + 1 < d->nargs);
	}
	bytes_put(&desc, "", 1);
	bytes_note(b, "stapsdt", 3, desc.data, desc.n);
}

/* A layout note at file offset `at`, whose globals lie behind the file's part of the data. */
static inline void fixture_layout(struct bytes *b, uint64_t vaddr)
{
	struct note_row row[128];
	struct bytes desc;
	size_t n = note_rows(row), head = 12 + 4; /* header and owner of the note */

	for (size_t i = 0; i < n; i++)
		if (!*row[i].of)
			row[i].value = (uint32_t)(DATA_VADDR + DATA_BYTES + i * STRUCT_BYTES -
						  (vaddr + head + 8 + i * 12 + 4));
	note_desc(&desc, 1, row, n);
	bytes_note(b, "grt", 1, desc.data, desc.n);
}

static inline void fixture_section(struct bytes *b, uint32_t name, uint32_t type, uint64_t addr,
				   size_t at, size_t bytes)
{
	Elf64_Shdr s = { .sh_name = name,
			 .sh_type = type,
			 .sh_addr = addr,
			 .sh_offset = at,
			 .sh_size = bytes,
			 .sh_addralign = 1 };

	bytes_put(b, &s, sizeof(s));
}

/* An ELF file of a few KiB: code with all probes, data with semaphores, layout note, sections. */
static inline void fixture_make(struct elf_fixture *f)
{
	static const char names[] = "\0.stapsdt.base\0.note.stapsdt\0.shstrtab";
	Elf64_Ehdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(head),
		.e_ehsize = sizeof(head),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 4,
		.e_shstrndx = 3,
	};
	Elf64_Phdr seg[3] = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = CODE_VADDR },
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = DATA_VADDR },
		{ .p_type = PT_NOTE, .p_flags = PF_R, .p_align = 4 },
	};
	struct bytes *b = &f->file;
	size_t code_at, data_at, names_at;

	memset(f, 0, sizeof(*f));
	b->n = sizeof(head) + sizeof(seg);
	f->note_at = b->n;
	fixture_layout(b, CODE_VADDR + f->note_at);
	f->note_bytes = b->n - f->note_at;
	code_at = b->n;
	b->n += 64 * 4; /* sites, 4 bytes apart */
	data_at = b->n;
	b->n += DATA_BYTES;
	f->sdt_at = b->n;
	/* The notes are as before the file was moved by 0x1000: base tells. */
	for (int i = 0; i < probe_table_len; i++)
		fixture_sdt(b, &probe_table[i], CODE_VADDR + code_at + 4 * (uint64_t)i - 0x1000,
			    CODE_VADDR + code_at - 0x1000, DATA_VADDR + 2 * (uint64_t)i - 0x1000);
	f->sdt_bytes = b->n - f->sdt_at;
	names_at = bytes_put(b, names, sizeof(names));
	f->sections_at = bytes_align(b, 8);
	fixture_section(b, 0, SHT_NULL, 0, 0, 0);
	fixture_section(b, 1, SHT_PROGBITS, CODE_VADDR + code_at, code_at, 1);
	fixture_section(b, 15, SHT_NOTE, 0, f->sdt_at, f->sdt_bytes);
	fixture_section(b, 29, SHT_STRTAB, 0, names_at, sizeof(names));

	head.e_shoff = f->sections_at;
	seg[0].p_filesz = seg[0].p_memsz = data_at;
	seg[1].p_offset = data_at;
	seg[1].p_filesz = DATA_BYTES;
	seg[1].p_memsz = DATA_BYTES + BSS_BYTES;
	seg[2].p_offset = f->note_at;
	seg[2].p_vaddr = CODE_VADDR + f->note_at;
	seg[2].p_filesz = seg[2].p_memsz = f->note_bytes;
	memcpy(b->data, &head, sizeof(head));
	memcpy(b->data + sizeof(head), seg, sizeof(seg));
}

/* A file of these bytes without a name; its path is /proc/self/fd/N. */
static inline int fixture_fd(const void *data, size_t bytes)
{
	int fd = memfd_create("fixture", MFD_CLOEXEC);

	assert(fd >= 0);
	assert(pwrite(fd, data, bytes, 0) == (ssize_t)bytes);
	return fd;
}

#endif
