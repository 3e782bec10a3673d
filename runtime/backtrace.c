/* SPDX-License-Identifier: MIT */
/*
 * backtrace.c - see backtrace.h.
 *
 * libc's backtrace_symbols_fd knows dynamic symbols only, and an ordinary program exports none of
 * its functions. Here names come from the symbol table of the file itself, if it was not stripped.
 * Everything is read through mappings that nobody unmaps, since the process is about to end. What
 * lies in the file is not trusted: it may have been cut off while the program ran.
 */
#include "backtrace.h"

#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file that an address belongs to, and where it is loaded. */
struct module {
	uintptr_t pc;
	const char *path; /* to be opened; NULL: none found */
	const char *name; /* to be shown */
	uintptr_t bias;
};

struct file {
	const char *map; /* NULL: nothing to be read */
	size_t size;
};

void backtrace_init(void)
{
	void *frame;

	backtrace(&frame, 1);
}

/* Opened by the link, which leads to the file that runs, also when another has taken its name. */
#define EXE_LINK "/proc/self/exe"

static const char *exe_name(void)
{
	static char name[256];

	if (!name[0] && readlink(EXE_LINK, name, sizeof(name) - 1) < 0)
		return EXE_LINK;
	return name;
}

static int module_match(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module *mod = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD &&
		    mod->pc - info->dlpi_addr - ph->p_vaddr < ph->p_memsz) {
			mod->bias = info->dlpi_addr;
			mod->path = info->dlpi_name[0] ? info->dlpi_name : EXE_LINK;
			mod->name = info->dlpi_name[0] ? info->dlpi_name : exe_name();
			return 1;
		}
	}
	return 0;
}

static struct file file_map(const char *path)
{
	struct file f = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return f;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size >= sizeof(ElfW(Ehdr))) {
		f.size = (size_t)st.st_size;
		f.map = mmap(NULL, f.size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (f.map == MAP_FAILED)
			f.map = NULL;
	}
	close(fd);
	return f;
}

/* n entries of `size` bytes at `at`, if the file has them all. */
static const void *file_at(const struct file *f, uint64_t at, uint64_t n, uint64_t size)
{
	if (!f->map || at > f->size || n > (f->size - at) / size)
		return NULL;
	return f->map + at;
}

/* The section of symbols: of the whole file, or of its dynamic ones. */
static const ElfW(Shdr) * symbols_find(const struct file *f, const ElfW(Shdr) * *ret_names)
{
	const ElfW(Ehdr) *eh = file_at(f, 0, 1, sizeof(*eh));
	const ElfW(Shdr) * sh, *dynamic = NULL, *found = NULL;

	if (!eh || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	sh = file_at(f, eh->e_shoff, eh->e_shnum, sizeof(*sh));
	for (int i = 0; sh && i < eh->e_shnum; i++) {
		if (sh[i].sh_link >= eh->e_shnum)
			continue;
		if (sh[i].sh_type == SHT_SYMTAB)
			found = &sh[i];
		if (sh[i].sh_type == SHT_DYNSYM)
			dynamic = &sh[i];
	}
	found = found ? found : dynamic;
	if (found)
		*ret_names = &sh[found->sh_link];
	return found;
}

/* Name and start of the function that covers `at`, an address as linked; NULL: not known. */
static const char *function_at(const struct file *f, uint64_t at, uint64_t *ret_start)
{
	const ElfW(Shdr) * names, *syms = symbols_find(f, &names);
	uint64_t n = syms ? syms->sh_size / sizeof(ElfW(Sym)) : 0;
	const ElfW(Sym) *sym = syms ? file_at(f, syms->sh_offset, n, sizeof(*sym)) : NULL;
	const char *text = sym ? file_at(f, names->sh_offset, names->sh_size, 1) : NULL;

	for (uint64_t i = 0; text && i < n; i++) {
		if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC || at < sym[i].st_value ||
		    at - sym[i].st_value >= sym[i].st_size || sym[i].st_name >= names->sh_size)
			continue;
		*ret_start = sym[i].st_value;
		return text + sym[i].st_name;
	}
	return NULL;
}

/* "name+0x1d at /usr/bin/x+0x401d [0x55...]". is_return: the call is before this address. */
static void frame_print(uintptr_t pc, bool is_return)
{
	static struct file file; /* of the frame before: often the same */
	static const char *file_path;
	struct module mod = { .pc = pc - is_return, .name = "?" };
	const char *function = NULL;
	uint64_t start = 0;
	char line[512];
	int n = 0;

	dl_iterate_phdr(module_match, &mod);
	if (mod.path && mod.path != file_path) {
		file_path = mod.path;
		file = file_map(mod.path);
	}
	if (mod.path)
		function = function_at(&file, mod.pc - mod.bias, &start);
	if (function)
		n = snprintf(line, sizeof(line), "%.160s+0x%lx at ", function,
			     (unsigned long)(pc - mod.bias - start));
	n += snprintf(line + n, sizeof(line) - (size_t)n, "%.256s+0x%lx [0x%lx]\n", mod.name,
		      (unsigned long)(pc - mod.bias), (unsigned long)pc);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

void backtrace_print(void)
{
	void *frames[BACKTRACE_FRAMES];
	int n = backtrace(frames, BACKTRACE_FRAMES);

	for (int i = 1; i < n; i++) /* not this one */
		frame_print((uintptr_t)frames[i], true);
}

void backtrace_print_from(const void *pc)
{
	void *frames[BACKTRACE_FRAMES];
	int n = backtrace(frames, BACKTRACE_FRAMES), first = 0;

	while (first < n && frames[first] != pc)
		first++;
	frame_print((uintptr_t)pc, false);
	for (int i = first + 1; i < n; i++)
		frame_print((uintptr_t)frames[i], true);
}
