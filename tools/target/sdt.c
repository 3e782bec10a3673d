/* SPDX-License-Identifier: MIT */
/* sdt.c - see sdt.h. */
#include <asm/ptrace.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdt.h"

#define SDT_OWNER "stapsdt"
#define SDT_TYPE 3
#define SDT_PROVIDER "grt"
#define SDT_ARGS_MAX 6

const struct probe_desc probe_table[] = {
#define PROBE(nr, name, temp, n, args, doc) { nr, #name, #temp, n, #args, doc },
#include "../../runtime/probes.def"
#undef PROBE
};
const int probe_table_len = sizeof(probe_table) / sizeof(probe_table[0]);

/* A register under the name of each width, where pt_regs has it. */
#define REG(member, r64, r32, r16, r8)                                  \
	{                                                               \
		{ r64, r32, r16, r8 }, offsetof(struct pt_regs, member) \
	}
#define REG_N(n) REG(r##n, "r" #n, "r" #n "d", "r" #n "w", "r" #n "b")
static const struct {
	const char *name[4]; /* 8, 4, 2, 1 bytes */
	uint32_t off;
} regs[] = {
	REG(rax, "rax", "eax", "ax", "al"),
	REG(rbx, "rbx", "ebx", "bx", "bl"),
	REG(rcx, "rcx", "ecx", "cx", "cl"),
	REG(rdx, "rdx", "edx", "dx", "dl"),
	REG(rsi, "rsi", "esi", "si", "sil"),
	REG(rdi, "rdi", "edi", "di", "dil"),
	REG(rbp, "rbp", "ebp", "bp", "bpl"),
	REG(rsp, "rsp", "esp", "sp", "spl"),
	REG_N(8),
	REG_N(9),
	REG_N(10),
	REG_N(11),
	REG_N(12),
	REG_N(13),
	REG_N(14),
	REG_N(15),
};

static bool reg_find(const char *name, size_t len, uint32_t *ret_off)
{
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		for (int w = 0; w < 4; w++)
			if (strlen(regs[i].name[w]) == len && !memcmp(regs[i].name[w], name, len)) {
				*ret_off = regs[i].off;
				return true;
			}
	return false;
}

/* The whole of text is a number in C's notation; 64 bits, signed or not. */
static bool imm_parse(const char *text, size_t len, int64_t *ret)
{
	char copy[32], *end;

	if (len == 0 || len >= sizeof(copy) || text[0] == ' ' || text[0] == '\t')
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	errno = 0;
	*ret = copy[0] == '-' ? strtoll(copy, &end, 0) : (int64_t)strtoull(copy, &end, 0);
	return errno == 0 && end == copy + len;
}

/* "-4@%esi": width, negative if signed; where. */
static bool arg_parse(const char *text, size_t len, struct probe_arg *ret)
{
	const char *at = memchr(text, '@', len), *what;
	size_t rest;
	int64_t width;

	memset(ret, 0, sizeof(*ret));
	if (!at || !imm_parse(text, (size_t)(at - text), &width))
		return false;
	ret->is_signed = width < 0;
	width = width < 0 ? -width : width;
	if (width != 1 && width != 2 && width != 4 && width != 8)
		return false;
	ret->width = (uint8_t)width;
	what = at + 1;
	rest = len - (size_t)(what - text);
	if (rest < 2)
		return false;
	if (*what == '$') {
		ret->is_imm = 1;
		return imm_parse(what + 1, rest - 1, &ret->imm);
	}
	return *what == '%' && reg_find(what + 1, rest - 1, &ret->regs_off);
}

int sdt_args_parse(const char *text, struct probe_arg arg[6], char *err, size_t err_bytes)
{
	int n = 0;

	while (*(text += strspn(text, " "))) {
		size_t len = strcspn(text, " ");

		if (n == SDT_ARGS_MAX) {
			snprintf(err, err_bytes, "has more than %d arguments", SDT_ARGS_MAX);
			return -EINVAL;
		}
		if (!arg_parse(text, len, &arg[n])) {
			snprintf(err, err_bytes,
				 "has its argument %d at '%.*s', which is neither a register nor "
				 "an immediate",
				 n + 1, (int)(len < 64 ? len : 64), text);
			return -EINVAL;
		}
		n++;
		text += len;
	}
	return n;
}

/* Takes a string that ends inside the note; NULL if it does not. */
static const char *string_take(const uint8_t **at, size_t *left)
{
	const uint8_t *start = *at, *end = memchr(start, 0, *left);

	if (!end)
		return NULL;
	*left -= (size_t)(end + 1 - start);
	*at = end + 1;
	return (const char *)start;
}

bool sdt_note_parse(const struct note *n, struct sdt_note *ret)
{
	uint64_t words[3];
	const uint8_t *at;
	size_t left;

	if (n->type != SDT_TYPE || strcmp(n->owner, SDT_OWNER) || n->bytes < sizeof(words))
		return false;
	memcpy(words, n->desc, sizeof(words));
	at = n->desc + sizeof(words);
	left = n->bytes - sizeof(words);
	ret->addr = words[0];
	ret->base = words[1];
	ret->semaphore = words[2];
	ret->provider = string_take(&at, &left);
	ret->name = ret->provider ? string_take(&at, &left) : NULL;
	ret->args = ret->name ? string_take(&at, &left) : NULL;
	return ret->args != NULL;
}

static const struct probe_desc *desc_find(const char *name)
{
	for (int i = 0; i < probe_table_len; i++)
		if (!strcmp(probe_table[i].name, name))
			return &probe_table[i];
	return NULL;
}

/* Fill a site; addresses in the note are already those of the file. */
static int site_make(const struct image *im, uint64_t bias, const struct sdt_note *n,
		     struct probe_site *ret, char *err, size_t err_bytes)
{
	GElf_Phdr seg;
	char why[160];

	ret->nargs = sdt_args_parse(n->args, ret->arg, why, sizeof(why));
	if (ret->nargs < 0) {
		snprintf(err, err_bytes, "probe %s %s", n->name, why);
		return -EINVAL;
	}
	if (ret->nargs != ret->desc->nargs) {
		snprintf(err, err_bytes, "probe %s has %d arguments, not %d", n->name, ret->nargs,
			 ret->desc->nargs);
		return -EINVAL;
	}
	if (!image_segment(im, n->addr, true, &seg) || !(seg.p_flags & PF_X)) {
		snprintf(err, err_bytes, "probe %s is at 0x%llx, where no code is", n->name,
			 (unsigned long long)n->addr);
		return -EINVAL;
	}
	ret->addr = n->addr + bias;
	ret->file_off = n->addr - seg.p_vaddr + seg.p_offset;
	if (!n->semaphore)
		return 0;
	if (!image_segment(im, n->semaphore, true, &seg) || !(seg.p_flags & PF_W)) {
		snprintf(err, err_bytes, "probe %s has its semaphore at 0x%llx, where no data is",
			 n->name, (unsigned long long)n->semaphore);
		return -EINVAL;
	}
	ret->sem_addr = n->semaphore + bias;
	ret->sem_off = n->semaphore - seg.p_vaddr + seg.p_offset;
	return 0;
}

static int site_compare(const void *a, const void *b)
{
	const struct probe_site *x = a, *y = b;

	if (x->desc != y->desc)
		return x->desc < y->desc ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int sdt_sites_read(const struct image *im, uint64_t bias, struct probe_site **ret, int *ret_n,
		   char *err, size_t err_bytes)
{
	struct note_iter it = { .align = 4 };
	struct probe_site *site = calloc(TARGET_SITES_MAX, sizeof(*site));
	uint64_t base = 0;
	struct sdt_note sdt;
	struct note note;
	size_t bytes;
	int n = 0, rc = 0;

	if (!site)
		return -ENOMEM;
	image_section(im, ".stapsdt.base", &bytes, &base);
	it.data = image_section(im, ".note.stapsdt", &it.bytes, NULL);
	while (rc == 0 && it.data && note_next(&it, &note)) {
		if (!sdt_note_parse(&note, &sdt) || strcmp(sdt.provider, SDT_PROVIDER))
			continue;
		if (!desc_find(sdt.name))
			continue;
		if (n == TARGET_SITES_MAX) {
			snprintf(err, err_bytes, "more than %d sites of probes", TARGET_SITES_MAX);
			rc = -EINVAL;
			break;
		}
		if (base) {
			sdt.addr += base - sdt.base;
			sdt.semaphore += sdt.semaphore ? base - sdt.base : 0;
		}
		site[n].desc = desc_find(sdt.name);
		rc = site_make(im, bias, &sdt, &site[n++], err, err_bytes);
	}
	if (rc < 0) {
		free(site);
		return rc;
	}
	qsort(site, (size_t)n, sizeof(*site), site_compare);
	*ret = site;
	*ret_n = n;
	return 0;
}
