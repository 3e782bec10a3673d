/* SPDX-License-Identifier: MIT */
/*
 * symname.c - see symname.h. Symbols and lines by libdwfl, which also finds a separate debug file
 * by the build-id; demangled by libiberty (C++, Rust), which is small and can be linked into the
 * program.
 */
#include "symname.h"

#include <inttypes.h>
#include <libiberty/demangle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

#define SLOTS 4096u    /* answers kept; a power of two. A program sleeps in some hundred places */
#define NAME_BYTES 256 /* demangled names can be without end */
#define MANGLED_MAX 1024

struct symname {
	struct maps *maps;
	uint32_t losses; /* of maps, when the answers were found */
	struct {
		uint64_t addr; /* 0: free */
		char *name;    /* NULL: there is none */
	} slot[SLOTS];
};

struct symname *symname_new(pid_t tid)
{
	struct symname *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->maps = maps_new(tid);
	if (s->maps)
		return s;
	free(s);
	return NULL;
}

void symname_free(struct symname *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		free(s->slot[i].name);
	maps_free(s->maps);
	free(s);
}

struct maps *symname_maps(const struct symname *s)
{
	return s->maps;
}

/* What a compiler appends to a copy that it made of a function: "worker.isra.0", "worker.cold". */
static size_t name_length(const char *symbol)
{
	static const char *const copy[] = { ".isra.", ".constprop.", ".part.",
					    ".cold",  ".lto_priv.",  ".llvm." };
	size_t n = strlen(symbol);

	for (size_t i = 0; i < sizeof(copy) / sizeof(copy[0]); i++) {
		const char *at = strstr(symbol, copy[i]);

		if (at && at != symbol && (size_t)(at - symbol) < n)
			n = (size_t)(at - symbol);
	}
	return n;
}

static void demangle(const char *whole, char *buf, size_t bytes)
{
	char symbol[MANGLED_MAX], *plain = NULL;

	snprintf(symbol, sizeof(symbol), "%.*s", (int)name_length(whole), whole);
	if (symbol[0] == '_' && (symbol[1] == 'Z' || symbol[1] == 'R'))
		plain = cplus_demangle(symbol, DMGL_ANSI | DMGL_AUTO);
	snprintf(buf, bytes, "%.*s", (int)bytes - 1, plain ? plain : symbol);
	free(plain);
}

/* Another file may be mapped where one was. */
static void forget(struct symname *s)
{
	s->losses = maps_losses(s->maps);
	for (size_t i = 0; i < SLOTS; i++) {
		s->slot[i].addr = 0;
		free(s->slot[i].name);
		s->slot[i].name = NULL;
	}
}

/* The function's; NULL: none. A nearest symbol that ends before the address is not its function. */
static const char *symbol_of(const struct map *map, uint64_t addr)
{
	const char *symbol;
	GElf_Off into;
	GElf_Sym sym;

	if (!map->module)
		return NULL;
	symbol = dwfl_module_addrinfo(map->module, addr, &into, &sym, NULL, NULL, NULL);
	return symbol && *symbol && (sym.st_size == 0 ? into == 0 : into < sym.st_size) ? symbol
											: NULL;
}

static void look_up(struct symname *s, uint64_t addr, char *buf, size_t bytes)
{
	const struct map *map = maps_open(s->maps, addr);
	const char *symbol;

	buf[0] = '\0';
	if (!map || !map->is_file)
		return;
	symbol = symbol_of(map, addr);
	if (symbol)
		demangle(symbol, buf, bytes);
	else
		snprintf(buf, bytes, "%.64s+0x%" PRIx64, map->name, addr - map->start + map->off);
	proc_text_tame(buf);
}

bool symname_get(struct symname *s, uint64_t addr, char *buf, size_t bytes)
{
	size_t i = addr * 0x9e3779b97f4a7c15ull >> 52;
	char name[NAME_BYTES];

	if (addr == 0)
		return false;
	if (s->losses != maps_losses(s->maps))
		forget(s);
	if (s->slot[i].addr != addr) {
		look_up(s, addr, name, sizeof(name));
		free(s->slot[i].name);
		s->slot[i].addr = addr;
		s->slot[i].name = name[0] ? strdup(name) : NULL;
	}
	if (s->slot[i].name)
		snprintf(buf, bytes, "%s", s->slot[i].name);
	return s->slot[i].name != NULL;
}

bool symname_build_id(struct symname *s, uint64_t addr, char *buf, size_t bytes)
{
	const struct map *map = maps_open(s->maps, addr);
	const unsigned char *id;
	GElf_Addr at;
	int n;

	if (!map || !map->module || symbol_of(map, addr))
		return false;
	n = dwfl_module_build_id(map->module, &id, &at);
	if (n <= 0)
		return false;
	snprintf(buf, bytes, "%.64s ", map->name);
	for (int i = 0; i < n && strlen(buf) + 3 <= bytes; i++)
		sprintf(buf + strlen(buf), "%02x", id[i]);
	proc_text_tame(buf);
	return true;
}

bool symname_line(struct symname *s, uint64_t addr, char *buf, size_t bytes)
{
	const struct map *map = maps_open(s->maps, addr);
	Dwfl_Line *line = map && map->module ? dwfl_module_getsrc(map->module, addr) : NULL;
	const char *path, *slash;
	int number = 0;

	path = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (!path || number <= 0)
		return false;
	slash = strrchr(path, '/');
	snprintf(buf, bytes, "%.200s:%d", slash ? slash + 1 : path, number);
	proc_text_tame(buf);
	return true;
}

bool symname_range(struct symname *s, uint64_t addr, const char *prefix, uint64_t *ret_start,
		   uint64_t *ret_end)
{
	const struct map *map = maps_open(s->maps, addr);
	int n = map && map->module ? dwfl_module_getsymtab(map->module) : 0;

	*ret_start = UINT64_MAX;
	*ret_end = 0;
	for (int i = 0; i < n; i++) {
		GElf_Sym sym;
		GElf_Addr at;
		const char *name =
			dwfl_module_getsym_info(map->module, i, &sym, &at, NULL, NULL, NULL);

		if (!name || GELF_ST_TYPE(sym.st_info) != STT_FUNC ||
		    GELF_ST_BIND(sym.st_info) != STB_GLOBAL || sym.st_shndx == SHN_UNDEF ||
		    strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		*ret_start = at < *ret_start ? at : *ret_start;
		*ret_end = at + sym.st_size > *ret_end ? at + sym.st_size : *ret_end;
	}
	return *ret_end > *ret_start;
}
