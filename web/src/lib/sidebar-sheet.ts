// Whether the sidebar lies open over the page, on screens too narrow to show it beside the page.
import { create } from "zustand";

export const useSidebarSheet = create<{ open: boolean }>(() => ({ open: false }));

export function openSidebar(): void {
  useSidebarSheet.setState({ open: true });
}

export function closeSidebar(): void {
  useSidebarSheet.setState({ open: false });
}
