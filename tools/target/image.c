/* SPDX-License-Identifier: MIT */
/* image.c - see image.h. libelf checks the tables, this file what they say. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image.h"

#define PAGE 4096ull /* of x86-64 */

int image_open(struct image *im, int fd, char *err, size_t err_bytes)
{
	memset(im, 0, sizeof(*im));
	im->fd = fd;
	elf_version(EV_CURRENT);
	/* READ, not MMAP: a file that shrinks while we look must not kill us. */
	im->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!im->elf || elf_kind(im->elf) != ELF_K_ELF || !gelf_getehdr(im->elf, &im->header) ||
	    elf_getphdrnum(im->elf, &im->nsegments)) {
		snprintf(err, err_bytes, "not an ELF file");
		image_close(im);
		return -EINVAL;
	}
	if (gelf_getclass(im->elf) != ELFCLASS64 || im->header.e_machine != EM_X86_64) {
		snprintf(err, err_bytes, "not a program for x86-64");
		image_close(im);
		return -EINVAL;
	}
	return 0;
}

void image_close(struct image *im)
{
	elf_end(im->elf);
	im->elf = NULL;
}

bool image_segment(const struct image *im, uint64_t vaddr, bool with_file, GElf_Phdr *ret)
{
	for (size_t i = 0; i < im->nsegments; i++) {
		if (!gelf_getphdr(im->elf, (int)i, ret) || ret->p_type != PT_LOAD)
			continue;
		if (vaddr >= ret->p_vaddr &&
		    vaddr - ret->p_vaddr < (with_file ? ret->p_filesz : ret->p_memsz))
			return true;
	}
	return false;
}

bool image_segment_mapped(const struct image *im, uint64_t off, GElf_Phdr *ret)
{
	for (size_t i = 0; i < im->nsegments; i++) {
		uint64_t first;

		if (!gelf_getphdr(im->elf, (int)i, ret) || ret->p_type != PT_LOAD ||
		    !(ret->p_flags & PF_X))
			continue;
		first = ret->p_offset & ~(PAGE - 1);
		if (off >= first && off - first < ret->p_filesz + (ret->p_offset - first))
			return true;
	}
	return false;
}

static Elf_Scn *section_find(const struct image *im, const char *name, GElf_Shdr *ret)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(im->elf, &names))
		return NULL;
	while ((scn = elf_nextscn(im->elf, scn))) {
		const char *its;

		if (!gelf_getshdr(scn, ret))
			continue;
		its = elf_strptr(im->elf, names, ret->sh_name);
		if (its && !strcmp(its, name))
			return scn;
	}
	return NULL;
}

const uint8_t *image_section(const struct image *im, const char *name, size_t *ret_bytes,
			     uint64_t *ret_vaddr)
{
	GElf_Shdr head;
	Elf_Scn *scn = section_find(im, name, &head);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;

	if (!data || !data->d_buf || data->d_size == 0)
		return NULL;
	*ret_bytes = data->d_size;
	if (ret_vaddr)
		*ret_vaddr = head.sh_addr;
	return data->d_buf;
}

bool image_is_dynamic(const struct image *im)
{
	GElf_Phdr seg;

	for (size_t i = 0; i < im->nsegments; i++)
		if (gelf_getphdr(im->elf, (int)i, &seg) && seg.p_type == PT_INTERP)
			return true;
	return false;
}

bool image_needs(const struct image *im, const char *library)
{
	GElf_Shdr head;
	Elf_Scn *scn = section_find(im, ".dynamic", &head);
	Elf_Data *data = scn ? elf_getdata(scn, NULL) : NULL;
	GElf_Dyn dyn;

	for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++) {
		const char *name;

		if (dyn.d_tag != DT_NEEDED)
			continue;
		name = elf_strptr(im->elf, head.sh_link, dyn.d_un.d_val);
		if (name && !strncmp(name, library, strlen(library)))
			return true;
	}
	return false;
}

bool image_notes(const struct image *im, size_t i, struct note_iter *ret, uint64_t *ret_vaddr)
{
	GElf_Phdr seg;

	memset(ret, 0, sizeof(*ret));
	for (size_t k = 0; k < im->nsegments; k++) {
		Elf_Data *data;

		if (!gelf_getphdr(im->elf, (int)k, &seg) || seg.p_type != PT_NOTE || i-- != 0)
			continue;
		*ret_vaddr = seg.p_vaddr;
		ret->align = seg.p_align == 8 ? 8 : 4;
		data = elf_getdata_rawchunk(im->elf, (int64_t)seg.p_offset, seg.p_filesz,
					    ELF_T_BYTE);
		if (data && data->d_buf) {
			ret->data = data->d_buf;
			ret->bytes = data->d_size;
		}
		return true;
	}
	return false;
}

/* Where the next part starts, or the end of the buffer if that is past it. */
static size_t note_round(const struct note_iter *it, size_t at)
{
	size_t up = (at + it->align - 1) & ~(it->align - 1);

	return up < it->bytes ? up : it->bytes;
}

bool note_next(struct note_iter *it, struct note *ret)
{
	uint32_t head[3]; /* bytes of owner, bytes of desc, type */
	size_t owner_at, desc_at;

	if (it->bytes - it->at < sizeof(head))
		return false;
	memcpy(head, it->data + it->at, sizeof(head));
	owner_at = it->at + sizeof(head);
	if (head[0] == 0 || head[0] > it->bytes - owner_at)
		return false;
	if (it->data[owner_at + head[0] - 1] != 0)
		return false;
	desc_at = note_round(it, owner_at + head[0]);
	if (head[1] > it->bytes - desc_at)
		return false;
	*ret = (struct note){
		.type = head[2],
		.owner = (const char *)it->data + owner_at,
		.desc = it->data + desc_at,
		.bytes = head[1],
		.desc_at = desc_at,
	};
	it->at = note_round(it, desc_at + head[1]);
	return true;
}
