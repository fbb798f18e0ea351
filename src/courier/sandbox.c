// SPDX-License-Identifier: MIT
//
// Two layers. seccomp is a list of what is denied (EPERM), not of what is allowed: libcurl,
// OpenSSL, glibc and the name service modules of a machine differ too much for a list of what they
// need, and a wrong one would cost a login. Landlock is a list of what may be read. Descriptors
// that are open already (the receipts) stay as they are.
//
// A Unix socket would be a way out of both (the user's D-Bus starts any program): there is none where
// names can be found without; where they cannot, abstract ones are out of reach from Linux 6.12 on.
#include "courier/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "courier/names.h"

// Not in older headers.
#define MDWE		 65 // PR_SET_MDWE, Linux 6.3
#define MDWE_REFUSE_EXEC 1
#define RIGHT_TRUNCATE	 (UINT64_C(1) << 14)
#define SCOPE_ABSTRACT	 (UINT64_C(1) << 0)
#define SCOPE_SIGNAL	 (UINT64_C(1) << 1)

// By name, because not every architecture has each.
// clang-format off
static const char *const denied_calls[] = {
	// other programs and processes
	"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev",
	"process_madvise", "pidfd_getfd", "pidfd_send_signal", "kill", "tkill", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo", "kcmp", "setns", "unshare", "setpriority", "sched_setscheduler",
	"sched_setparam", "sched_setattr", "sched_setaffinity", "ioprio_set", "migrate_pages",
	"move_pages",
	// names, modes and owners of files
	"unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink",
	"symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "creat", "truncate",
	"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat",
	"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
	"utime", "utimes", "utimensat", "futimesat", "open_by_handle_at", "name_to_handle_at",
	"fanotify_init",
	// the machine
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
	"fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "reboot",
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf",
	"perf_event_open", "quotactl", "quotactl_fd", "settimeofday", "clock_settime", "adjtimex",
	"clock_adjtime", "sethostname", "setdomainname", "syslog", "acct", "add_key",
	"request_key", "keyctl", "userfaultfd", "io_uring_setup", "personality",
	// other users
	"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
	"setfsuid", "setfsgid", "capset",
	// being a server
	"listen", "accept", "accept4",
};
// clang-format on

// What the kernel cannot do is left out; what only memory was lacking for is not.
static int no_memory(int r)
{
	return r == -ENOMEM ? r : 0;
}

static int deny_calls(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(denied_calls); i++) {
		int call = seccomp_syscall_resolve_name(denied_calls[i]);
		if (call != __NR_SCMP_ERROR)
			r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0));
	}
	return r;
}

// Calls of which libcurl's resolver threads and its sockets need a part.
static int deny_uses(scmp_filter_ctx filter)
{
	int r = 0;

	// clone3 hides its flags behind a pointer; glibc falls back to clone.
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
#ifndef __s390__ // whose flags are the second argument
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)));
#endif
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
					SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid())));
	// glibc asks for its own limits only.
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1,
					SCMP_A0(SCMP_CMP_NE, 0)));
	// Typing into the user's terminal.
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI)));
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCLINUX)));
	return r;
}

// Addresses of the Internet, and what glibc asks the kernel for its own; not a pair that could be
// connected elsewhere. (libcurl wakes itself through pairs of streams, which cannot.)
static int deny_sockets(scmp_filter_ctx filter, bool names_need_them)
{
	int r = 0;

	// Where one call has them all, their arguments are in memory, and cannot be looked at.
#ifndef __NR_socketcall
	for (int family = AF_UNSPEC; family < AF_NETLINK; family++)
		if (family != AF_INET && family != AF_INET6 &&
		    !(family == AF_UNIX && names_need_them))
			r |= no_memory(
				seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
						 SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family)));
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
					SCMP_A0(SCMP_CMP_GT, AF_NETLINK)));
	r |= no_memory(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socketpair), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, 0xf, SOCK_DGRAM)));
#else
	(void)filter, (void)names_need_them;
#endif
	return r;
}

int sandbox_calls(bool local_names)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(MDWE, MDWE_REFUSE_EXEC, 0, 0, 0);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter)
		return -ENOMEM;
	int r = deny_calls(filter);
	if (r == 0)
		r = deny_uses(filter);
	if (r == 0)
		r = deny_sockets(filter, names_need_sockets(local_names));
	if (r == 0)
		r = no_memory(seccomp_load(filter));
	seccomp_release(filter);
	return r;
}

// Certificates as Debian, Fedora, Arch and SUSE keep them; what glibc's resolver and its usual
// modules read.
// clang-format off
static const char *const readable[] = {
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs",
	"/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/pki/ca-trust",
	"/etc/ca-certificates", "/etc/crypto-policies", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/usr/share/pki", "/var/lib/ca-certificates",
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
	"/etc/hostname", "/etc/services", "/etc/protocols", "/etc/networks", "/etc/mdns.allow",
	"/etc/ld.so.cache", "/etc/localtime", "/usr/lib", "/usr/lib64", "/lib", "/lib64",
	"/usr/share/zoneinfo", "/run/systemd/resolve", "/run/resolvconf",
	"/run/NetworkManager/resolv.conf", "/run/nscd",
};
// clang-format on

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_V1   ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)

static uint64_t rights_of_version(long version)
{
	uint64_t rights = RIGHTS_V1;

	if (version >= 2)
		rights |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		rights |= RIGHT_TRUNCATE;
	return rights;
}

static void allow_reading(int ruleset, const char *path)
{
	_cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	struct landlock_path_beneath_attr rule = {
		.allowed_access = S_ISDIR(st.st_mode) ? READ_RIGHTS : LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = fd,
	};
	syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

// A certificate may be a link to wherever the administrator keeps it. Most lead to what is readable
// anyway.
static void allow_links(int ruleset, const char *directory)
{
	DIR *dir = opendir(directory);
	char target[PATH_MAX];

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!strchr(target, '/') || string_starts(target, "/usr/share/ca-certificates/"))
			continue;
		_cleanup_free_ char *path = path_join(directory, entry->d_name);
		allow_reading(ruleset, path);
	}
	if (dir)
		closedir(dir);
}

// As struct landlock_ruleset_attr has grown.
struct ruleset_attr {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

static int create_ruleset(long version)
{
	struct ruleset_attr attr = {.handled_access_fs = rights_of_version(version)};
	size_t size = sizeof(attr.handled_access_fs);

	if (version >= 6) {
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	return (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
}

void sandbox_files(const char *const *more, size_t n)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1)
		return;
	_cleanup_close_ int ruleset = create_ruleset(version);
	if (ruleset < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(readable); i++)
		allow_reading(ruleset, readable[i]);
	allow_links(ruleset, "/etc/ssl/certs");
	allow_links(ruleset, "/etc/pki/tls/certs");
	for (size_t i = 0; i < n; i++)
		if (more[i])
			allow_reading(ruleset, more[i]);
	syscall(SYS_landlock_restrict_self, ruleset, 0);
}
