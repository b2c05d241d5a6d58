/* sign MODULE PIN N logs in to the first token, makes N signatures, and prints
 * signatures per second and the process's peak memory in kB. */
#include <stdio.h>
#ifdef _WIN32
#include <windows.h>
static const char *dlerror(void) { static char s[40]; sprintf(s, "error %lu", GetLastError()); return s; }
#define RTLD_NOW 0
#define dlopen(name, how) ((void *)LoadLibraryA(name))
#define dlsym(lib, name) ((void *)GetProcAddress((HMODULE)(lib), name))
#else
#include <dlfcn.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cryptoki.h"

/* Places in the function list. */
enum { Initialize, Finalize, GetSlotList = 4, OpenSession = 12, Login = 18, FindObjectsInit = 26, FindObjects, FindObjectsFinal, SignInit = 42, Sign };
#define CALL(name, ...) do { CK_RV rv = list->functions[name](__VA_ARGS__); if (rv) { fprintf(stderr, #name ": 0x%lX\n", rv); exit(1); } } while (0)

/* peak is VmHWM; getrusage would tell of whoever started us, too. */
static long peak(void) {
	char line[256];
	long kb = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) sscanf(line, "VmHWM: %ld", &kb);
	return kb;
}

int main(int argc, char **argv) {
	if (argc != 4) return 64;
	void *lib = dlopen(argv[1], RTLD_NOW);
	if (lib == NULL) { fprintf(stderr, "%s\n", dlerror()); return 1; }
	CK_RV (*get)(CK_FUNCTION_LIST **) = (CK_RV (*)(CK_FUNCTION_LIST **))dlsym(lib, "C_GetFunctionList");
	CK_FUNCTION_LIST *list;
	get(&list);
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16, class = 3;
	CK_SESSION_HANDLE s;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template = {0, &class, sizeof class};
	CK_MECHANISM mechanism = {0x40, NULL, 0};
	CALL(Initialize, NULL);
	CALL(GetSlotList, (CK_BBOOL)1, slots, &n);
	CALL(OpenSession, slots[0], 4UL, NULL, NULL, &s);
	CALL(Login, s, 1UL, argv[2], (CK_ULONG)strlen(argv[2]));
	CALL(FindObjectsInit, s, &template, 1UL);
	CALL(FindObjects, s, &key, 1UL, &n);
	CALL(FindObjectsFinal, s);
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = atoi(argv[3]); i > 0; i--) {
		CK_BYTE signature[256];
		n = sizeof signature;
		CALL(SignInit, s, &mechanism, key);
		CALL(Sign, s, (CK_BYTE *)"message", 7UL, signature, &n);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%f %ld\n", atoi(argv[3]) / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9), peak());
	CALL(Finalize, NULL);
	return 0;
}
