// The sections of a person's own settings, each a page with an address of its own.
import { useQuery } from "@tanstack/react-query";
import { useSession } from "@/api/session";
import { someAssistantsQuery } from "@/features/assistants/api";
import { ProfileSection } from "@/features/session/profile-section";
import { SessionsSection } from "@/features/session/sessions-section";
import { AppearanceSection } from "@/features/settings/appearance-section";
import { ChatSection } from "@/features/settings/chat-section";
import { UsageSection } from "@/features/settings/usage-section";
import { useT } from "@/i18n";
import { useTitle } from "@/lib/use-title";

export function Profile() {
  const t = useT();
  const user = useSession((state) => state.user);
  useTitle(t("settings.profile"));
  return user === null ? null : <ProfileSection user={user} />;
}

export function Appearance() {
  const t = useT();
  useTitle(t("settings.appearance"));
  return <AppearanceSection />;
}

export function Chat() {
  const t = useT();
  const assistants = useQuery(someAssistantsQuery).data?.assistants;
  useTitle(t("settings.chat"));
  return <ChatSection assistants={assistants} />;
}

export function Usage() {
  const t = useT();
  useTitle(t("settings.usage"));
  return <UsageSection />;
}

export function Sessions() {
  const t = useT();
  useTitle(t("settings.sessions"));
  return <SessionsSection />;
}
