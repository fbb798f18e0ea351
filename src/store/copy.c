// SPDX-License-Identifier: MIT
//
// A copy lives as long as somebody points to it: a store that holds it, or what is known of a look's texts (known.h),
// or of the last look's files (seen.h).
#include "store/store.h"

struct copy *copy_new(void)
{
	struct copy *copy = xcalloc(1, sizeof(*copy));

	copy->refs = 1;
	return copy;
}

struct copy *copy_ref(struct copy *copy)
{
	copy->refs++;
	return copy;
}

void copy_unref(struct copy *copy)
{
	if (--copy->refs)
		return;
	credential_free(&copy->credential);
	free(copy->spelt);
	free(copy->reason);
	free(copy);
}

void copies_free(struct copy ***list, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		copy_unref((*list)[i]);
	free(*list);
	*list = NULL;
	*n = 0;
}

struct copy **copies_share(struct copy *const *copies, size_t n)
{
	struct copy **list = xcalloc(n + 1, sizeof(struct copy *));

	for (size_t i = 0; i < n; i++)
		list[i] = copy_ref(copies[i]);
	return list;
}
