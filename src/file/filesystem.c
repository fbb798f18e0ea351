// SPDX-License-Identifier: MIT
#include <errno.h>
#include <sys/vfs.h>

#include "file/filesystem.h"

static const struct {
	uint32_t magic; // statfs(2)
	struct filesystem filesystem;
} known[] = {
	{0x6969, {"NFS", .is_shared = true}},
	{0x517b, {"SMB", .is_shared = true}},
	{0xff534d42, {"CIFS", .is_shared = true}},
	{0xfe534d42, {"SMB", .is_shared = true}},
	{0x00c36400, {"Ceph", .is_shared = true}},
	{0x5346414f, {"AFS", .is_shared = true}},
	{0x01021997,
	 {"9p", .is_shared = true, .has_no_modes = true}}, // WSL's /mnt/c, virtual machines
	{0x4d44, {"FAT", .has_no_modes = true}},
	{0x2011bab0, {"exFAT", .has_no_modes = true}},
	{0x5346544e, {"NTFS", .has_no_modes = true}},
	{0x7366746e, {"NTFS", .has_no_modes = true}},
};

const struct filesystem *filesystem_of(const char *path)
{
	_cleanup_free_ char *at = xstrdup(path);
	struct statfs fs;

	while (statfs(at, &fs) < 0) {
		if (errno != ENOENT || string_equal(at, "/"))
			return NULL;
		char *up = path_dirname(at);
		free(at);
		at = up;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if ((uint32_t)fs.f_type == known[i].magic)
			return &known[i].filesystem;
	return NULL;
}

bool filesystem_keeps_time(const struct statfs *fs)
{
	static const uint32_t keepers[] = {
		0xef53,	    // ext4
		0x58465342, // XFS
		0x9123683e, // Btrfs
		0xf2f52010, // F2FS
		0xca451a4e, // bcachefs
		0x2fc12fc1, // ZFS
		0x01021994, // tmpfs
		0x794c7630, // overlayfs
	};

	for (size_t i = 0; i < ARRAY_SIZE(keepers); i++)
		if ((uint32_t)fs->f_type == keepers[i])
			return true;
	return false;
}
