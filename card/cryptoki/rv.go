package cryptoki

import "fmt"

// RV is a return value of PKCS#11 (CK_RV).
type RV uint32

// Return values (PKCS#11 2.40, pkcs11t.h).
const (
	OK                         RV = 0x000
	HostMemory                 RV = 0x002
	SlotIDInvalid              RV = 0x003
	GeneralError               RV = 0x005
	FunctionFailed             RV = 0x006
	ArgumentsBad               RV = 0x007
	NoEvent                    RV = 0x008
	CantLock                   RV = 0x00A
	AttributeReadOnly          RV = 0x010
	AttributeSensitive         RV = 0x011
	AttributeTypeInvalid       RV = 0x012
	AttributeValueInvalid      RV = 0x013
	ActionProhibited           RV = 0x01B
	DataInvalid                RV = 0x020
	DataLenRange               RV = 0x021
	DeviceError                RV = 0x030
	DeviceRemoved              RV = 0x032
	FunctionCanceled           RV = 0x050
	FunctionNotParallel        RV = 0x051
	FunctionNotSupported       RV = 0x054
	KeyHandleInvalid           RV = 0x060
	KeyFunctionNotPermitted    RV = 0x068
	MechanismInvalid           RV = 0x070
	MechanismParamInvalid      RV = 0x071
	ObjectHandleInvalid        RV = 0x082
	OperationActive            RV = 0x090
	OperationNotInitialized    RV = 0x091
	PINIncorrect               RV = 0x0A0
	PINInvalid                 RV = 0x0A1
	PINLenRange                RV = 0x0A2
	PINLocked                  RV = 0x0A4
	SessionHandleInvalid       RV = 0x0B3
	SessionParallelUnsupported RV = 0x0B4
	SessionReadOnly            RV = 0x0B5
	SessionExists              RV = 0x0B6
	SessionReadOnlyExists      RV = 0x0B7
	SessionReadWriteSOExists   RV = 0x0B8
	TemplateIncomplete         RV = 0x0D0
	TokenNotPresent            RV = 0x0E0
	TokenNotRecognized         RV = 0x0E1
	TokenWriteProtected        RV = 0x0E2
	UserAlreadyLoggedIn        RV = 0x100
	UserNotLoggedIn            RV = 0x101
	UserPINNotInitialized      RV = 0x102
	UserTypeInvalid            RV = 0x103
	UserAnotherLoggedIn        RV = 0x104
	RandomNoRNG                RV = 0x121
	BufferTooSmall             RV = 0x150
	NotInitialized             RV = 0x190
	AlreadyInitialized         RV = 0x191
)

// String is the value in hexadecimal, as other programs print it.
func (r RV) String() string { return fmt.Sprintf("CKR 0x%03X", uint32(r)) }
