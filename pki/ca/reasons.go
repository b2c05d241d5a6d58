package ca

// Reasons are those for which a certificate is revoked here, as RFC 5280, 5.3.1
// numbers them; a hold is no revocation, and has its own way.
func Reasons() []int {
	return []int{Unspecified, KeyCompromise, CACompromise, AffiliationChanged, Superseded, CessationOfOperation, PrivilegeWithdrawn}
}

// ReasonName is the standard's name of a reason.
func ReasonName(reason int) string {
	return map[int]string{
		Unspecified: "unspecified", KeyCompromise: "keyCompromise", CACompromise: "cACompromise", AffiliationChanged: "affiliationChanged",
		Superseded: "superseded", CessationOfOperation: "cessationOfOperation", PrivilegeWithdrawn: "privilegeWithdrawn",
	}[reason]
}
