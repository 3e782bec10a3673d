/* SPDX-License-Identifier: MIT */
/*
 * elfnotes.h - what a linked file says of itself: its notes and its symbols, read without a library.
 *
 * Only for files that a linker on this machine has made: nothing here distrusts its input.
 */
#ifndef ELFNOTES_H
#define ELFNOTES_H

#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct elf_file {
	const char *map; /* NULL: not opened */
	size_t size;
};

struct elf_note {
	const char *owner;
	uint32_t type;
	const char *desc;
	uint32_t desc_bytes;
	uint64_t desc_addr; /* as linked */
	uint64_t offset;    /* in the section; 0 starts a walk */
};

static inline struct elf_file elf_open(const char *path)
{
	struct elf_file f = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return f;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		f.size = (size_t)st.st_size;
		f.map = mmap(NULL, f.size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (f.map == MAP_FAILED)
			f.map = NULL;
	}
	close(fd);
	return f;
}

static inline void elf_close(struct elf_file *f)
{
	munmap((void *)f->map, f->size);
	f->map = NULL;
}

static inline const Elf64_Shdr *elf_section(const struct elf_file *f, const char *name)
{
	const Elf64_Ehdr *eh = (const void *)f->map;
	const Elf64_Shdr *sh = (const void *)(f->map + eh->e_shoff);
	const char *names = f->map + sh[eh->e_shstrndx].sh_offset;

	for (int i = 0; i < eh->e_shnum; i++)
		if (strcmp(names + sh[i].sh_name, name) == 0)
			return &sh[i];
	return NULL;
}

/* The next note of a section; false at its end. */
static inline int elf_note_next(const struct elf_file *f, const Elf64_Shdr *sh, struct elf_note *n)
{
	const Elf64_Nhdr *nh = (const void *)(f->map + sh->sh_offset + n->offset);
	uint64_t desc_at;

	if (n->offset + sizeof(*nh) > sh->sh_size)
		return 0;
	desc_at = n->offset + sizeof(*nh) + ((nh->n_namesz + 3u) & ~3u);
	n->owner = (const char *)(nh + 1);
	n->type = nh->n_type;
	n->desc = f->map + sh->sh_offset + desc_at;
	n->desc_bytes = nh->n_descsz;
	n->desc_addr = sh->sh_addr + desc_at;
	n->offset = desc_at + ((nh->n_descsz + 3u) & ~3u);
	return 1;
}

/* Address and size of a symbol as linked; 0: there is none of that name. */
static inline uint64_t elf_symbol(const struct elf_file *f, const char *name, uint64_t *ret_bytes)
{
	const Elf64_Shdr *tab = elf_section(f, ".symtab"), *str = elf_section(f, ".strtab");

	for (uint64_t i = 0; tab && str && i < tab->sh_size / sizeof(Elf64_Sym); i++) {
		const Elf64_Sym *s = (const Elf64_Sym *)(const void *)(f->map + tab->sh_offset) + i;

		if (strcmp(f->map + str->sh_offset + s->st_name, name) == 0 &&
		    s->st_shndx != SHN_UNDEF) {
			if (ret_bytes)
				*ret_bytes = s->st_size;
			return s->st_value;
		}
	}
	return 0;
}

/* Does a segment of notes, which is what an outside reader of memory sees, cover this address? */
static inline int elf_note_segment_has(const struct elf_file *f, uint64_t addr)
{
	const Elf64_Ehdr *eh = (const void *)f->map;
	const Elf64_Phdr *ph = (const void *)(f->map + eh->e_phoff);

	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_NOTE && addr >= ph[i].p_vaddr &&
		    addr < ph[i].p_vaddr + ph[i].p_memsz)
			return 1;
	return 0;
}

/* Where the running program lies, against what is linked. */
static inline uint64_t elf_self_bias(const struct elf_file *self, const char *symbol,
				     const void *at)
{
	return (uint64_t)(uintptr_t)at - elf_symbol(self, symbol, NULL);
}

#endif
