"""Tell camera photographs from AI-generated images, say how sure, and show why."""
