// SPDX-License-Identifier: MIT
//
// Who else can write here? The one rule for whatever decides where tokens are kept, locked and sent:
// stores, lock directories, the configuration and the certificates it names, and the directories above
// them.
#ifndef BASE_TRUST_H
#define BASE_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>

// Can anybody but its owner (and root) write what `path` names and `st` describes? Others can if the
// mode says so; a group can unless it is the private one of the owner, or ours: his primary group,
// called as he is, with no other member. (So Debian's OpenSSH judges for StrictModes; such groups
// come with a umask of 002, and OpenClaw's directories are then 0775.) In a file with an access list
// the bit of the group stands for everybody in the list, so there the exception does not hold.
bool others_may_write(const char *path, const struct stat *st);

// The command after which the directory at `path` is ours, and nobody else's to write. (In another user's home, the one
// that runs this as that user.) Free it.
char *directory_remedy(const char *path);

// Read it, if they can come to it. (In a file with an access list the bit of the group stands for everybody in the list.)
bool others_may_read(const char *path, const struct stat *st);

#endif
