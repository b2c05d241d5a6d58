/* A caller in C, for what no ready program does: harness MODULE PIN.
 * It prints one line for each thing that is right, and stops at the first that
 * is not. Declarations as in cmd/cse-pkcs11/cryptoki.h. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cryptoki.h"

static CK_FUNCTION_LIST *list;
/* Places in the function list. */
enum { Initialize, Finalize, GetInfo, GetFunctionList, GetSlotList, GetSlotInfo, GetTokenInfo, OpenSession = 12, CloseSession,
	CloseAllSessions, GetSessionInfo, Login = 18, Logout, CreateObject, FindObjectsInit = 26, FindObjects, FindObjectsFinal,
	EncryptInit, SignInit = 42, Sign, GenerateRandom = 64, GetFunctionStatus };
#define CALL(name, ...) (list->functions[name](__VA_ARGS__))

static void want(const char *what, CK_RV want, CK_RV got) {
	if (want != got) { printf("%s: 0x%lX, want 0x%lX\n", what, got, want); fflush(stdout); _exit(1); }
}

static const char *pin;
static CK_SLOT_ID slot;

static CK_SLOT_ID first_slot(void) {
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;
	want("C_GetSlotList count", 0, CALL(GetSlotList, (CK_BBOOL)1, NULL, &n));
	n = 16;
	want("C_GetSlotList", 0, CALL(GetSlotList, (CK_BBOOL)1, slots, &n));
	if (n < 1) { puts("no slot with a card"); _exit(1); }
	return slots[0];
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE s) {
	CK_ULONG class = 3, n = 0;
	CK_ATTRIBUTE t = {0, &class, sizeof class};
	CK_OBJECT_HANDLE o = 0;
	want("C_FindObjectsInit", 0, CALL(FindObjectsInit, s, &t, 1UL));
	want("C_FindObjects", 0, CALL(FindObjects, s, &o, 1UL, &n));
	want("C_FindObjectsFinal", 0, CALL(FindObjectsFinal, s));
	return n ? o : 0;
}

static void sign_once(CK_SESSION_HANDLE s) {
	CK_MECHANISM m = {0x40, NULL, 0};
	CK_BYTE sig[256];
	CK_ULONG n = sizeof sig;
	want("C_SignInit", 0, CALL(SignInit, s, &m, private_key(s)));
	want("C_Sign", 0, CALL(Sign, s, (CK_BYTE *)"message", 7UL, sig, &n));
	if (n != 256) { puts("short signature"); _exit(1); }
}

static void *worker(void *arg) {
	CK_SESSION_HANDLE s;
	(void)arg;
	want("C_OpenSession (thread)", 0, CALL(OpenSession, slot, 4UL, NULL, NULL, &s));
	for (int i = 0; i < 5; i++) sign_once(s);
	want("C_CloseSession (thread)", 0, CALL(CloseSession, s));
	return NULL;
}

static void login(CK_SESSION_HANDLE *s) {
	want("C_OpenSession", 0, CALL(OpenSession, slot, 4UL, NULL, NULL, s));
	want("C_Login", 0, CALL(Login, *s, 1UL, (CK_UTF8CHAR *)pin, (CK_ULONG)strlen(pin)));
}

/* In a child made by fork, nothing may hang: the standard's answer, at once; and after C_Initialize of its own it has all. */
static void fork_once(const char *when) {
	pid_t child = fork();
	if (child == 0) {
		CK_INFO info;
		CK_ULONG n = 0;
		CK_SESSION_HANDLE s;
		alarm(20);
		want("child C_GetInfo", 0x190, CALL(GetInfo, &info));
		want("child C_GetSlotList", 0x190, CALL(GetSlotList, (CK_BBOOL)1, NULL, &n));
		want("child C_OpenSession", 0x190, CALL(OpenSession, slot, 4UL, NULL, NULL, &s));
		want("child C_Finalize", 0x190, CALL(Finalize, NULL));
		want("child C_Initialize", 0, CALL(Initialize, NULL));
		want("child C_Initialize again", 0x191, CALL(Initialize, NULL));
		want("child C_GetInfo, initialised", 0, CALL(GetInfo, &info));
		slot = first_slot();
		login(&s);
		sign_once(s);
		want("child C_Finalize, initialised", 0, CALL(Finalize, NULL));
		exit(0); /* with its atexit functions */
	}
	int status = 0;
	waitpid(child, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) { printf("fork %s: the child ended with %x\n", when, status); exit(1); }
	printf("ok fork %s\n", when);
}

int main(int argc, char **argv) {
	if (argc != 3) return 64;
	pin = argv[2];
	void *lib = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (lib == NULL) { puts(dlerror()); return 1; }
	CK_RV (*get)(CK_FUNCTION_LIST **) = (CK_RV (*)(CK_FUNCTION_LIST **))dlsym(lib, "C_GetFunctionList");
	want("C_GetFunctionList", 0, get(&list));
	fork_once("before C_Initialize");

	CK_C_INITIALIZE_ARGS args = {0};
	int x;
	args.pReserved = &x;
	want("C_Initialize with pReserved", 0x007, CALL(Initialize, &args));
	args.pReserved = NULL;
	args.LockMutex = &x;
	want("C_Initialize with one mutex function", 0x007, CALL(Initialize, &args));
	args.CreateMutex = args.DestroyMutex = args.UnlockMutex = &x;
	want("C_Initialize with the caller's locks only", 0x00A, CALL(Initialize, &args));
	args.flags = CKF_OS_LOCKING_OK;
	want("C_Initialize", 0, CALL(Initialize, &args));
	want("C_Initialize again", 0x191, CALL(Initialize, NULL));
	want("C_GetInfo without room", 0x007, CALL(GetInfo, NULL));
	puts("ok initialize");

	CK_SESSION_HANDLE s;
	slot = first_slot();
	login(&s);
	sign_once(s);
	puts("ok signature");
	fork_once("while logged in");
	sign_once(s);
	puts("ok the parent signs on");

	want("C_EncryptInit", 0x054, CALL(EncryptInit, s, NULL, 0UL));
	want("C_EncryptInit without session", 0x0B3, CALL(EncryptInit, 4711UL, NULL, 0UL));
	want("C_GenerateRandom", 0x121, CALL(GenerateRandom, s, NULL, 0UL));
	want("C_GetFunctionStatus", 0x051, CALL(GetFunctionStatus, s));
	puts("ok refusals");

	pthread_t threads[16];
	for (int i = 0; i < 16; i++) pthread_create(&threads[i], NULL, worker, NULL);
	for (int i = 0; i < 16; i++) pthread_join(threads[i], NULL);
	puts("ok 16 threads");

	for (int i = 0; i < 5; i++) {
		want("C_Finalize", 0, CALL(Finalize, NULL));
		want("C_Finalize again", 0x190, CALL(Finalize, NULL));
		want("C_GetSessionInfo after C_Finalize", 0x190, CALL(GetSessionInfo, s, &x));
		want("C_Initialize", 0, CALL(Initialize, NULL));
		slot = first_slot();
		login(&s);
		sign_once(s);
	}
	want("C_Finalize", 0, CALL(Finalize, NULL));
	dlclose(lib);
	puts("ok initialised again");
	return 0;
}
