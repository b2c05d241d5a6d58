/* The part of the PKCS#11 2.40 interface (OASIS Standard, 14 April 2015) that
 * this module needs, declared from the text of the standard. Types have the
 * standard's names, so that a reader finds them there. */
#ifndef CSE_CRYPTOKI_H
#define CSE_CRYPTOKI_H

#ifdef _WIN32
#define CK_EXPORT __declspec(dllexport)
#pragma pack(push, cryptoki, 1)
#else
#define CK_EXPORT __attribute__((visibility("default")))
#endif

typedef unsigned char CK_BYTE;
typedef CK_BYTE CK_BBOOL;
typedef CK_BYTE CK_UTF8CHAR;
typedef unsigned long CK_ULONG;
typedef CK_ULONG CK_RV, CK_FLAGS, CK_SLOT_ID, CK_SESSION_HANDLE, CK_OBJECT_HANDLE;
typedef CK_ULONG CK_USER_TYPE, CK_STATE, CK_MECHANISM_TYPE, CK_ATTRIBUTE_TYPE, CK_NOTIFICATION;
typedef CK_RV (*CK_NOTIFY)(CK_SESSION_HANDLE, CK_NOTIFICATION, void *);

typedef struct { CK_BYTE major, minor; } CK_VERSION;

typedef struct {
	CK_VERSION cryptokiVersion;
	CK_UTF8CHAR manufacturerID[32];
	CK_FLAGS flags;
	CK_UTF8CHAR libraryDescription[32];
	CK_VERSION libraryVersion;
} CK_INFO;

typedef struct {
	CK_UTF8CHAR slotDescription[64];
	CK_UTF8CHAR manufacturerID[32];
	CK_FLAGS flags;
	CK_VERSION hardwareVersion, firmwareVersion;
} CK_SLOT_INFO;

typedef struct {
	CK_UTF8CHAR label[32];
	CK_UTF8CHAR manufacturerID[32];
	CK_UTF8CHAR model[16];
	CK_UTF8CHAR serialNumber[16];
	CK_FLAGS flags;
	CK_ULONG ulMaxSessionCount, ulSessionCount, ulMaxRwSessionCount, ulRwSessionCount;
	CK_ULONG ulMaxPinLen, ulMinPinLen;
	CK_ULONG ulTotalPublicMemory, ulFreePublicMemory, ulTotalPrivateMemory, ulFreePrivateMemory;
	CK_VERSION hardwareVersion, firmwareVersion;
	CK_UTF8CHAR utcTime[16];
} CK_TOKEN_INFO;

typedef struct {
	CK_SLOT_ID slotID;
	CK_STATE state;
	CK_FLAGS flags;
	CK_ULONG ulDeviceError;
} CK_SESSION_INFO;

typedef struct { CK_ULONG ulMinKeySize, ulMaxKeySize; CK_FLAGS flags; } CK_MECHANISM_INFO;
typedef struct { CK_MECHANISM_TYPE mechanism; void *pParameter; CK_ULONG ulParameterLen; } CK_MECHANISM;
typedef struct { CK_ATTRIBUTE_TYPE type; void *pValue; CK_ULONG ulValueLen; } CK_ATTRIBUTE;

typedef struct {
	void *CreateMutex, *DestroyMutex, *LockMutex, *UnlockMutex;
	CK_FLAGS flags;
	void *pReserved;
} CK_C_INITIALIZE_ARGS;

#define CKF_OS_LOCKING_OK 0x2UL

#define CKR_OK 0x000UL
#define CKR_GENERAL_ERROR 0x005UL
#define CKR_FUNCTION_FAILED 0x006UL
#define CKR_ARGUMENTS_BAD 0x007UL
#define CKR_CANT_LOCK 0x00AUL
#define CKR_FUNCTION_NOT_PARALLEL 0x051UL
#define CKR_FUNCTION_NOT_SUPPORTED 0x054UL
#define CKR_RANDOM_NO_RNG 0x121UL
#define CKR_CRYPTOKI_NOT_INITIALIZED 0x190UL

/* The function list: a version and 68 functions in the standard's order. */
typedef CK_RV (*CK_FUNCTION)();
typedef struct { CK_VERSION version; CK_FUNCTION functions[68]; } CK_FUNCTION_LIST;

#ifdef _WIN32
#pragma pack(pop, cryptoki)
#endif

/* On Windows these structures are packed, and cgo does not show fields that lie
 * across their alignment: Go reads and writes them through these. */
static inline void *attribute_value(const CK_ATTRIBUTE *a) { return a->pValue; }
static inline void *mechanism_parameter(const CK_MECHANISM *m) { return m->pParameter; }
static inline void set_info_flags(CK_INFO *i, CK_FLAGS flags) { i->flags = flags; }
#endif
