// SPDX-License-Identifier: MIT
//
// Reading a libconfig tree by tables: one `struct rule` per setting says its name, how it is read
// and where the value goes. What is in no table is an error, so nothing a person wrote is ever
// silently ignored (libconfig's own lookups do not tell a wrong type from a missing setting: facts,
// durability E).
//
// A read function returns 0, or -EINVAL after reader_fail said what is wrong.
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include <libconfig.h>

#include "config/config.h"
#include "config/source.h"

struct reader {
	struct config *config;
	const struct source *source;
	char *home; // what "~" stands for
	bool owns;	  // text values belong to config->owned: the target is a `const char *`
	char *error;	  // the first one
};

struct rule {
	const char *name;
	int (*read)(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		    void *target);
	size_t offset;		  // of the value in the struct the table is for
	int64_t least, most;	  // durations, in seconds
	const struct rule *rules; // a group's own settings
	size_t n_rules;
	const char *const *choices; // words allowed, NULL-terminated
};

// All settings outside of lists, by their tables (config.c).
const struct rule *config_rules(size_t *ret_n);
// "FILE:LINE: `path.to.setting`: what; remedy". Always -EINVAL.
int reader_fail(struct reader *reader, const config_setting_t *setting, const char *what,
		const char *remedy);
// Hand a string over to config->owned.
const char *reader_own(struct reader *reader, char *text);
// Read a group's settings into the struct at `base`.
int read_settings(struct reader *reader, config_setting_t *group, const struct rule *rules,
		  size_t n, void *base);

// The string value of a setting, NULL (and an error) if it is of another type.
const char *setting_text(struct reader *reader, const config_setting_t *setting,
			 const char *remedy);
// A group member's string; NULL if it is absent, no string or "".
const char *member_text(const config_setting_t *group, const char *name);

// Values. An empty string is as good as no setting, except where it says otherwise.
int read_text(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target);
int read_path(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target);
int read_url(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	     void *target);
int read_readable_file(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		       void *target);
int read_private_file(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		      void *target);
int read_duration(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		  void *target);
int read_margin(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		void *target);
int read_bool(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	      void *target);
int read_choice(struct reader *reader, config_setting_t *setting, const struct rule *rule,
		void *target); // int: index
int read_group(struct reader *reader, config_setting_t *setting, const struct rule *rule,
	       void *base);

#endif
