//go:build cgo

package main

/*
#include "cryptoki.h"
*/
import "C"

import (
	"unsafe"

	"cse.example/cse/card/cryptoki"
)

//export goHasSession
func goHasSession(s C.CK_SESSION_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.HasSession(cryptoki.Handle(s)))
}

//export goOpenSession
func goOpenSession(slot C.CK_SLOT_ID, flags C.CK_FLAGS, out *C.CK_SESSION_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	h, r := module.OpenSession(cryptoki.SlotID(slot), flags&cryptoki.FlagSerialSession != 0, flags&cryptoki.FlagRWSession != 0)
	if r == cryptoki.OK {
		*out = C.CK_SESSION_HANDLE(h)
	}
	return C.CK_RV(r)
}

//export goCloseSession
func goCloseSession(s C.CK_SESSION_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.CloseSession(cryptoki.Handle(s)))
}

//export goCloseAllSessions
func goCloseAllSessions(slot C.CK_SLOT_ID) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.CloseAllSessions(cryptoki.SlotID(slot)))
}

//export goGetSessionInfo
func goGetSessionInfo(s C.CK_SESSION_HANDLE, out *C.CK_SESSION_INFO) (rv C.CK_RV) {
	defer answer(&rv)
	i, r := module.SessionInfo(cryptoki.Handle(s))
	if r == cryptoki.OK {
		out.slotID, out.state, out.flags, out.ulDeviceError = C.CK_SLOT_ID(i.Slot), C.CK_STATE(i.State), C.CK_FLAGS(i.Flags), 0
	}
	return C.CK_RV(r)
}

//export goLogin
func goLogin(s C.CK_SESSION_HANDLE, user C.CK_USER_TYPE, pin *C.CK_UTF8CHAR, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	p := code(pin, n)
	defer wipe(p)
	return C.CK_RV(module.Login(cryptoki.Handle(s), cryptoki.UserType(user), p))
}

//export goLogout
func goLogout(s C.CK_SESSION_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.Logout(cryptoki.Handle(s)))
}

//export goInitPIN
func goInitPIN(s C.CK_SESSION_HANDLE, pin *C.CK_UTF8CHAR, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	p := code(pin, n)
	defer wipe(p)
	return C.CK_RV(module.InitPIN(cryptoki.Handle(s), p))
}

//export goSetPIN
func goSetPIN(s C.CK_SESSION_HANDLE, old *C.CK_UTF8CHAR, oldLen C.CK_ULONG, pin *C.CK_UTF8CHAR, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	o, p := code(old, oldLen), code(pin, n)
	defer wipe(o)
	defer wipe(p)
	return C.CK_RV(module.SetPIN(cryptoki.Handle(s), o, p))
}

// template reads a list of attributes.
func template(t *C.CK_ATTRIBUTE, n C.CK_ULONG) []cryptoki.Attribute {
	if t == nil {
		return nil
	}
	out := make([]cryptoki.Attribute, 0, int(n))
	list := unsafe.Slice(t, int(n))
	for i := range list {
		a := &list[i]
		out = append(out, cryptoki.Attribute{Type: cryptoki.AttributeType(a._type), Value: memory(C.attribute_value(a), a.ulValueLen)})
	}
	return out
}

//export goCreateObject
func goCreateObject(s C.CK_SESSION_HANDLE, t *C.CK_ATTRIBUTE, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.CreateObject(cryptoki.Handle(s), template(t, n)))
}

//export goChangeObject
func goChangeObject(s C.CK_SESSION_HANDLE, o C.CK_OBJECT_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.ChangeObject(cryptoki.Handle(s), cryptoki.Handle(o)))
}

//export goGetAttributeValue
func goGetAttributeValue(s C.CK_SESSION_HANDLE, o C.CK_OBJECT_HANDLE, t *C.CK_ATTRIBUTE, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	if t == nil {
		n = 0
	}
	attributes := unsafe.Slice(t, int(n))
	wanted := make([]cryptoki.Wanted, len(attributes))
	for i := range attributes {
		a := &attributes[i]
		wanted[i] = cryptoki.Wanted{Type: cryptoki.AttributeType(a._type), Room: int(min(a.ulValueLen, 1<<30))}
		if C.attribute_value(a) == nil {
			wanted[i].Room = -1
		}
	}
	r := module.AttributeValue(cryptoki.Handle(s), cryptoki.Handle(o), wanted)
	if r == cryptoki.ObjectHandleInvalid || r == cryptoki.SessionHandleInvalid || r == cryptoki.NotInitialized {
		return C.CK_RV(r)
	}
	for i, w := range wanted {
		copy(memory(C.attribute_value(&attributes[i]), C.CK_ULONG(len(w.Value))), w.Value)
		attributes[i].ulValueLen = C.CK_ULONG(w.Length)
	}
	return C.CK_RV(r)
}

//export goFindObjectsInit
func goFindObjectsInit(s C.CK_SESSION_HANDLE, t *C.CK_ATTRIBUTE, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.FindObjectsInit(cryptoki.Handle(s), template(t, n)))
}

//export goFindObjects
func goFindObjects(s C.CK_SESSION_HANDLE, out *C.CK_OBJECT_HANDLE, most C.CK_ULONG, count *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	found, r := module.FindObjects(cryptoki.Handle(s), int(min(most, 1000)))
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	room := most
	rv = list(found, out, &room)
	*count = C.CK_ULONG(len(found))
	return rv
}

//export goFindObjectsFinal
func goFindObjectsFinal(s C.CK_SESSION_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.FindObjectsFinal(cryptoki.Handle(s)))
}
