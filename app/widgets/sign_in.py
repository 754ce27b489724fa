"""The way in for visitors who have to sign in before they change anything."""

from __future__ import annotations

import streamlit as st

from app import sign_in


def show() -> None:
    """Draw a button for each provider; nothing where nobody has to sign in, or this visitor is."""
    if not sign_in.is_required():
        return
    with st.container(horizontal=True, key="sign-in"):
        for provider in sign_in.providers():
            st.button(
                f"Sign in with {provider}" if provider else "Sign in",
                key=f"sign-in.{provider or ''}",
                icon=":material/login:",
                on_click=st.login,
                args=(provider,),
            )
