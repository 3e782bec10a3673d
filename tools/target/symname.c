/* SPDX-License-Identifier: MIT */
/*
 * symname.c - see symname.h. The file is reached as mapped (map_files), else by its path below the
 * target's root; symbols come from .symtab, else .dynsym. No demangling, no debug information.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "proc.h"
#include "symname.h"

#define CACHE_LEN 64 /* distinct functions; foreign code is called through few */
#define NAME_BYTES 128

struct symname {
	pid_t tid;
	size_t n;
	struct {
		uint64_t addr;
		char name[NAME_BYTES]; /* empty: there is none */
	} cache[CACHE_LEN];
};

struct symname *symname_new(pid_t tid)
{
	struct symname *s = calloc(1, sizeof(*s));

	if (s)
		s->tid = tid;
	return s;
}

void symname_free(struct symname *s)
{
	free(s);
}

static bool map_find(pid_t tid, uint64_t addr, struct proc_map *ret)
{
	struct proc_maps maps;
	bool found = false;

	if (proc_maps_open(&maps, tid) < 0)
		return false;
	while (!found && proc_maps_next(&maps, ret))
		found = addr >= ret->start && addr < ret->end;
	proc_maps_close(&maps);
	return found;
}

static int map_open(pid_t tid, const struct proc_map *map)
{
	char path[64 + sizeof(map->path)];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, tid, map->start,
		 map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || map->path[0] != '/')
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", tid, map->path);
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* File offset -> address as the file's symbols count. */
static bool vaddr_of(const struct image *im, uint64_t off, uint64_t *ret)
{
	GElf_Phdr ph;

	for (size_t i = 0; i < im->nsegments; i++) {
		if (!gelf_getphdr(im->elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (off >= ph.p_offset && off - ph.p_offset < ph.p_filesz) {
			*ret = off - ph.p_offset + ph.p_vaddr;
			return true;
		}
	}
	return false;
}

static bool section_search(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, uint64_t vaddr, char *buf,
			   size_t bytes)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n = data && sh->sh_entsize ? data->d_size / sh->sh_entsize : 0;
	const char *name;
	GElf_Sym sym;

	for (size_t i = 0; i < n; i++) {
		if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC)
			continue;
		if (vaddr < sym.st_value || vaddr - sym.st_value >= (sym.st_size ? sym.st_size : 1))
			continue;
		name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (!name || !*name)
			continue;
		snprintf(buf, bytes, "%s", name);
		return true;
	}
	return false;
}

static bool image_search(const struct image *im, uint64_t vaddr, char *buf, size_t bytes)
{
	static const uint32_t types[] = { SHT_SYMTAB, SHT_DYNSYM };
	GElf_Shdr sh;

	for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
		Elf_Scn *scn = NULL;

		while ((scn = elf_nextscn(im->elf, scn)) != NULL)
			if (gelf_getshdr(scn, &sh) && sh.sh_type == types[k] &&
			    section_search(im->elf, scn, &sh, vaddr, buf, bytes))
				return true;
	}
	return false;
}

static bool file_search(int fd, uint64_t off, char *buf, size_t bytes)
{
	struct image im;
	char err[128];
	uint64_t vaddr;
	bool found;

	if (image_open(&im, fd, err, sizeof(err)) < 0)
		return false;
	found = vaddr_of(&im, off, &vaddr) && image_search(&im, vaddr, buf, bytes);
	image_close(&im);
	return found;
}

static void look_up(pid_t tid, uint64_t addr, char *buf, size_t bytes)
{
	struct proc_map map;
	uint64_t off;
	bool found = false;
	int fd;

	buf[0] = '\0';
	if (!map_find(tid, addr, &map) || map.path[0] != '/')
		return;
	off = addr - map.start + map.off;
	fd = map_open(tid, &map);
	if (fd >= 0) {
		found = file_search(fd, off, buf, bytes);
		close(fd);
	}
	if (!found)
		snprintf(buf, bytes, "%.64s+0x%" PRIx64, strrchr(map.path, '/') + 1, off);
}

bool symname_get(struct symname *s, uint64_t addr, char *buf, size_t bytes)
{
	size_t i = 0;

	while (i < s->n && s->cache[i].addr != addr)
		i++;
	if (i == s->n) {
		i = s->n < CACHE_LEN ? s->n++ : addr % CACHE_LEN;
		s->cache[i].addr = addr;
		look_up(s->tid, addr, s->cache[i].name, sizeof(s->cache[i].name));
	}
	snprintf(buf, bytes, "%s", s->cache[i].name);
	return buf[0] != '\0';
}
